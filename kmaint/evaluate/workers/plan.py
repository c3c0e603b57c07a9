"""Which calls a candidate is put through: single ones, sequences in which nothing may carry over, and large ones."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from runtime.sequences import CALLERS, Step  # type: ignore[import-not-found]

from .calls import elements, interpreter_sized, leading_axes, with_axis

ROWS = 3
WIDTH = 96
"""Elements of an axis in sequences of many calls, where the contract lets it be so small."""
LARGEST = 1 << 17
EDITABLE = ("normal", "log_sum_exp", "scale", "probability")
"""Contents of which any element may be another: an index must stay below its bound, and lengths add up."""
MOST_CONSTANTS = 16
MOST_ELEMENTS = 1 << 22
"""Of the arguments of a call at its real size: a fifth of a second, and as much for the reference in float64."""
MOST_AT_CONSTANT = 1 << 25
"""Of those of a call at a number of the candidate's source: a few seconds, mostly for the reference."""
VALUES = ("nan", "outlier", "small", "zeros")
"""Profiles of values beside the usual one."""
MANY = 40
"""A counter of warm-up calls has to be past its end by then: the largest that was seen anywhere is 25."""


@dataclass(frozen=True)
class Probe:
    """Calls that are made one after another; `otherwise` is the code of a wrong result that repeats none before."""

    kind: str
    what: str
    steps: list[Step]
    otherwise: str = "mismatch"


def base(contract: Any, case: Any, *, rows: int = ROWS, width: int | None = WIDTH) -> Any:
    """The case with few rows and, where `width` is given, short ones."""
    case = interpreter_sized(contract, case)
    leading = leading_axes(contract)
    for name, axis in contract.axes.items():
        if axis["choices"] or type(case.axes[name]) is not int:
            continue
        size = rows if name in leading else width
        if size is not None and case.axes[name] > size:
            case = with_axis(contract, case, name, size)
    return case


def narrowest(contract: Any, case: Any) -> Any:
    """The case with the least number above 1 on each axis that has only some: for calls of which there are many."""
    for name, axis in contract.axes.items():
        for choice in sorted(one for one in axis["choices"] if type(one) is int and one > 1):
            changed = case.but(**{name: choice})
            if choice <= case.axes[name] and contract.admits(changed):
                case = changed
                break
    return case


def plan(contract: Any, seed: int, device: str) -> Iterator[Probe]:
    """Everything but what depends on the candidate's own source; the seeds are nobody's before this."""
    draw = random.Random(seed)  # noqa: S311 - a seed that is secret until now, not a key
    workloads = [case for _workload, case in contract.cases()]
    first = workloads[0].but(seed=draw.randrange(1 << 30))
    small = base(contract, first)
    singles = [
        *(base(contract, first, width=None), *_choices(contract, small)),
        *(small.but(values=profile) for profile in VALUES),
    ]
    for case in singles:
        step = Step(case.but(seed=draw.randrange(1 << 30)), guarded=True)
        yield Probe("single", "single calls", [step])
    for name, steps, otherwise in _sequences(contract, small, draw):
        yield Probe("sequence", name, steps, otherwise)
    del device


def _choices(contract: Any, case: Any) -> Iterator[Any]:
    """The small case itself, with each other choice of an axis that has choices, and with one row and none."""
    yield case
    for name, axis in contract.axes.items():
        for choice in axis["choices"]:
            changed = case.but(**{name: choice})
            if choice != case.axes[name] and contract.admits(changed):
                yield changed
    for name in leading_axes(contract) & contract.axes.keys():
        for size in (0, 1):
            changed = case.but(**{name: size})
            if not contract.axes[name]["choices"] and size >= contract.axes[name]["low"] and contract.admits(changed):
                yield changed


def _sequences(contract: Any, case: Any, draw: random.Random) -> Iterator[tuple[str, list[Step], str]]:
    def fresh() -> Any:
        return case.but(seed=draw.randrange(1 << 30))

    yield "calls from several places", [Step(fresh(), caller=caller) for caller in CALLERS], "phase_detection"
    refilled = [Step(fresh(), buffers="refilled") for _ in range(4)]
    yield "calls on the same memory with other values", [Step(fresh()), *refilled], "stale_result"
    one = fresh()
    edits = [
        Step(one, buffers="same", edit=spec["name"], at=at, swap=swap)
        for spec in contract.arguments
        if spec["kind"] == "tensor" and spec["values"] in EDITABLE
        for at, swap in ((1.0, False), (draw.random(), False), (draw.random(), True))
    ]
    yield "calls after a change of one element", [Step(one), *edits, Step(one, buffers="same")], "stale_result"
    values = [Step(one), Step(one, buffers="same", other_values=True), Step(one, buffers="same")]
    yield "calls with other values of what is no tensor", values, "stale_result"
    other = base(contract, case, rows=2, width=WIDTH // 2)
    turns = [Step(which.but(seed=draw.randrange(1 << 30))) for _ in range(3) for which in (case, other)]
    yield "calls of two shapes in turn", turns, "stale_result"
    yield "calls after a failed one", [Step(fresh()), Step(fresh(), bad=True), Step(fresh())], "stale_result"
    many = narrowest(contract, base(contract, case, rows=2, width=WIDTH // 2))
    rest = [Step(many.but(seed=draw.randrange(1 << 30)), guarded=index % 7 == 6) for index in range(MANY)]
    yield f"{MANY} calls", rest, "phase_detection"


def scaled(contract: Any, constants: Iterable[int], seed: int) -> Iterator[Any]:
    """Cases at and beside each whole number of the candidate's source, for each axis that can be as long.

    What is too much with the other axes as a workload has them is asked with as little of them as may be.
    """
    first, leading = next(case for _workload, case in contract.cases()), leading_axes(contract)
    for name, axis in contract.axes.items():
        if axis["choices"] or type(first.axes[name]) is not int:
            continue
        small = base(contract, first.but(seed=seed), rows=2, width=8)
        most = LARGEST if name in leading else max(axis["high"], *(c.axes[name] for _, c in contract.cases()))
        each = small, narrowest(contract, small)
        for constant in list(constants)[:MOST_CONSTANTS]:
            for size in (constant - 1, constant, constant + 1):
                if axis["low"] <= size <= most:
                    asked = (one.but(**{name: size}) for one in each)
                    able = (c for c in asked if contract.admits(c) and elements(contract, c) <= MOST_AT_CONSTANT)
                    yield from itertools.islice(able, 1)


def real_sizes(contract: Any, seed: int) -> list[Any]:
    """The workloads with as many rows as they have, and as long ones as MOST_ELEMENTS lets them be."""
    found: dict[str, Any] = {}
    for _workload, case in contract.cases():
        inner = [name for name, axis in contract.axes.items() if not axis["choices"]]
        for name in sorted(inner, key=lambda name: (name in leading_axes(contract), -case.axes[name])):
            while elements(contract, case) > MOST_ELEMENTS and case.axes[name] > 1:
                smaller = with_axis(contract, case, name, case.axes[name] // 2)
                if smaller is case:
                    break
                case = smaller
        found.setdefault(repr(case.axes), case.but(seed=seed))
    return [case for case in found.values() if elements(contract, case) <= MOST_ELEMENTS]
