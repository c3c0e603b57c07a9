"""The attempts of finished runs as rows to train on, in the shapes that `datasets` loads and `trl` expects.

Every row holds an Attempt, so that who trains can choose by kernel, device, licence or reward, beside what `trl` reads.
"""

from __future__ import annotations

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
    """The rows of that data set, run by run in the order of the attempts."""
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
    return Trajectories(rows=tuple(rows), left_out=tuple(left_out))


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
        worth = {"reward": found.reward_parts.total, "label": found.verdict.win}
        yield {"prompt": question(found), "completion": answer(found), **worth, **_facts(found)}


def _facts(attempt: Attempt) -> Row:
    return {"attempt": wire.dump(attempt), "schema": SCHEMA}


DATASETS: dict[Dataset, Callable[[Told], Iterator[Row]]] = {"sft": _sft, "preference": _preference, "rl": _rl}
