"""What a harness's entry gives back and changes, found by running it on small cases."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from extract.calls.relations import related
from extract.interchange.variants import Axes, Variant, dtype_of, small_cases
from kmaint.child import clean_environment
from kmaint.errors import UsageError
from kmaint.forking.stem import run_with_torch
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument

CALL_LIMIT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a call gives: shapes (expressions over free axes, or numbers) and dtypes by name, and arguments changed."""

    tensors: dict[str, tuple[tuple[str, ...], str]]
    changed: tuple[str, ...]
    returned: int


def outputs_of(harness: Harness, variant: Variant, python: str) -> Outputs:
    """Found by running the harness on three small cases, since a contract does not say what a launcher returns."""
    cases = list(itertools.islice(small_cases(harness, variant), 3))
    program = Path(__file__).with_name("program.py")
    asked = json.dumps(cases)
    done = run_with_torch(
        [python, program, harness.entry],
        timeout_s=CALL_LIMIT_S,
        env=clean_environment(),
        cwd=harness.folder,
        stdin=asked,
    )
    answers = json.loads(done.stdout.strip().splitlines()[-1]) if done.code == 0 else []
    failed = [answer["error"] for answer in answers if answer["error"]]
    if failed or not answers or len({len(answer["returned"]) for answer in answers}) != 1:
        last = failed[0] if failed else (done.stderr.strip().splitlines() or ["its calls differ"])[-1]
        raise UsageError(
            f"{harness.folder}: {harness.entry} does not run on small sizes: {last}", "run its suite first"
        )
    changed = tuple(dict.fromkeys(name for answer in answers for name in answer["changed"]))
    arguments = {argument.name: argument for argument in harness.contract.arguments}
    tensors = {
        _free_name(name, arguments): (arguments[name].shape, dtype_of(arguments[name], variant)) for name in changed
    }
    fresh = [i for i, alias in enumerate(answers[0]["aliases"]) if not alias]
    for i in fresh:
        shapes = [answer["returned"][i][0] for answer in answers]
        shape = tuple(_size(column, cases) for column in zip(*shapes, strict=True))
        tensors["output" if len(fresh) == 1 else f"output_{i}"] = (shape, answers[0]["returned"][i][1])
    return Outputs(tensors=tensors, changed=changed, returned=len(fresh))


def _free_name(name: str, arguments: Mapping[str, Argument]) -> str:
    """A changed argument's name as an output: its own where it is nothing but an output."""
    return name if arguments[name].values in ("output", "scratch") else f"{name}_after"


def _size(column: Sequence[int], cases: Sequence[Axes]) -> str:
    free = {
        name: tuple(value if type(value) is int else None for value in (case[name] for case in cases))
        for name in cases[0]
    }
    if len(set(column)) == 1:
        return str(column[0])
    relation = related(tuple(column), free)
    return relation.expression if relation else str(column[0])
