"""The attempts of finished runs as rows to train on, in the shapes that `datasets` loads and `trl` expects.

Every row holds an Attempt, so that who trains can choose by kernel, device, licence or reward, beside what `trl` reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kmaint import wire
from kmaint.agent.chain import original
from kmaint.learning.attempts import Attempt, attempts
from kmaint.learning.conversation import answer, question
from kmaint.learning.outcome import outcome_of
from kmaint.learning.preferring import preferences
from kmaint.learning.scrubbing import cleaned, fault_of
from kmaint.records.harness import Harness
from kmaint.records.run import Run

SCHEMA = "kmaint.trajectory/1"

LOOKED_AT = 10 << 20
"""Bytes of a file from which `datasets` takes the columns' types."""

Dataset = Literal["sft", "preference", "rl"]
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Trajectories:
    """Rows, and a line for each attempt that may not leave the machine."""

    rows: tuple[Row, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Told:
    """A run, and those of its attempts that may leave the machine, by candidate id."""

    run: Run
    attempts: dict[str, Attempt]
    secrets: frozenset[str]


def trajectories(runs: Sequence[tuple[Run, Harness]], to: Dataset, secrets: frozenset[str]) -> Trajectories:
    """The rows of that data set, run by run in the order of the attempts; of many, those that show types first."""
    rows: list[Row] = []
    left_out: list[str] = []
    for run, harness in runs:
        public, kept = original(harness), {}
        for one in attempts(run, harness, secrets):
            if fault := fault_of(one.before + one.after, secrets, public=public):
                left_out.append(f"{run.id} {one.candidate}: its source {fault}")
            else:
                kept[one.candidate] = one
        rows += DATASETS[to](Told(run=run, attempts=kept, secrets=secrets))
    return Trajectories(rows=tuple(_telling_first(rows)), left_out=tuple(left_out))


def _telling_first(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows; of more than a loader looks at, each that holds something where none before it does goes to the front.

    Where the part that it looks at had no speedup, none could follow.
    """
    if sum(len(json.dumps(row)) for row in rows) <= LOOKED_AT:
        return rows
    seen: set[str] = set()
    telling: list[Row] = []
    others: list[Row] = []
    for row in rows:
        held = set(_held(row, ""))
        (others if held <= seen else telling).append(row)
        seen |= held
    return [*telling, *others]


def _held(value: Any, place: str) -> Iterator[str]:
    """Each place below a value that has a type of its own there: no null and no item of an empty list has one."""
    if value is None:
        return
    yield place
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _held(item, f"{place}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from _held(item, f"{place}[]")


def _sft(told: Told) -> Iterator[Row]:
    """Accepted edits only."""
    for one in told.run.evaluations:
        if outcome_of(one).accepted and (found := told.attempts.get(one.candidate.id)):
            yield {"prompt": question(found), "completion": answer(found), **_facts(found)}


def _preference(told: Told) -> Iterator[Row]:
    """Two answers to one question, the better one chosen, and what the gate said of each."""
    for pair in preferences(told.run.evaluations):
        chosen = told.attempts.get(pair.chosen.candidate.id)
        rejected = told.attempts.get(pair.rejected.candidate.id)
        if chosen and rejected:
            yield {
                "prompt": question(chosen),
                "chosen": answer(chosen),
                "rejected": answer(rejected),
                "why_chosen": cleaned(pair.why_chosen, told.secrets),
                "why_rejected": cleaned(pair.why_rejected, told.secrets),
                "attempt_chosen": wire.dump(chosen),
                "attempt_rejected": wire.dump(rejected),
                "schema": SCHEMA,
            }


def _rl(told: Told) -> Iterator[Row]:
    """Every attempt with its reward; `label` says whether it was accepted, for learning from single answers."""
    for found in told.attempts.values():
        if found.verdict.kind == "slower":
            continue  # nobody knows whether it is right, so that no reward would be just
        worth = {"reward": found.reward_parts.total, "label": found.verdict.win}
        yield {"prompt": question(found), "completion": answer(found), **worth, **_facts(found)}


def _facts(attempt: Attempt) -> Row:
    return {"attempt": wire.dump(attempt), "schema": SCHEMA}


DATASETS: dict[Dataset, Callable[[Told], Iterator[Row]]] = {"sft": _sft, "preference": _preference, "rl": _rl}
