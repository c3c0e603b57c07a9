"""Where a winner may run, as source that a reviewer can read: what was measured, and nothing beyond it.

The guard is a box over the contract's axes: from the smallest to the largest size that won, the dtypes that won, the
alignment that all of them share, on the architecture that they were measured on.
"""

from __future__ import annotations

import ast
import heapq
import itertools
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from kmaint.expression import evaluate, names_in
from kmaint.records.harness import Harness
from kmaint.records.workload import Axis, Binding, Workload
from kmaint.spans import Source
from reintegrate.kinds.win import Declined, Win

DOCSTRING_COLUMNS = 84
"""What is left of 88 inside a function."""
ALIGNMENTS = (16, 8, 4, 2)
MULTIPLE = re.compile(r"(?:(?P<by>\d+)\s*\*\s*)?(?P<axis>[A-Za-z_]\w*)")


@dataclass(frozen=True, kw_only=True)
class Bound:
    """One axis of the box: whole numbers from `low` to `high` that `multiple` divides, or one of `values`."""

    axis: str
    low: int = 0
    high: int = 0
    multiple: int = 1
    values: tuple[Binding, ...] = ()

    def holds(self, value: Binding) -> bool:
        if self.values:
            return value in self.values
        return isinstance(value, int) and self.low <= value <= self.high and value % self.multiple == 0


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A box, and the workloads that it lets through."""

    bounds: tuple[Bound, ...]
    capability: tuple[int, int]
    inside: tuple[str, ...]

    def admits(self, axes: dict[str, Binding]) -> bool:
        return all(bound.holds(axes[bound.axis]) for bound in self.bounds)


def guard_of(win: Win) -> Guard | Declined:
    """The box with the most traffic that it wins and none that it does not win."""
    contract, won = win.harness.contract, win.won()
    if win.capability is None:
        return Declined("a guard names the CUDA architecture that was measured, and it was timed on none")
    if not won:
        return Declined("it wins on no workload that was timed")
    open_axes = {axis.name for axis in contract.axes if len(axis.choices) != 1}
    apart = [one for one in win.harness.contract.timed if one not in won]
    weights = {one.name: one.weight for one in won}
    # Best first: a box that still holds a loser gives way to those that leave it out on one side of one axis.
    queue = [(-sum(weights.values()), 0, tuple(won))]
    tried, numbers = set[tuple[str, ...]](), itertools.count(1)
    while queue:
        _, _, kept = heapq.heappop(queue)
        bounds = tuple(_bound(win.harness, axis, [one.axes[axis] for one in kept]) for axis in sorted(open_axes))
        guard = Guard(bounds=bounds, capability=win.capability, inside=tuple(one.name for one in kept))
        loser = next((one for one in apart if guard.admits(one.axes)), None)
        if loser is None:
            return guard
        for part in _cuts(kept, loser, sorted(open_axes)):
            if part and (names := tuple(one.name for one in part)) not in tried:
                tried.add(names)
                heapq.heappush(queue, (-sum(weights[name] for name in names), next(numbers), part))
    return Declined("no range of sizes holds a workload that it wins and none that it loses")


def _cuts(kept: Sequence[Workload], loser: Workload, axes: Sequence[str]) -> list[tuple[Workload, ...]]:
    """What is left of the winners on either side of a loser, along each axis."""
    parts: list[tuple[Workload, ...]] = []
    for axis in axes:
        at = loser.axes[axis]
        if isinstance(at, (int, float)) and not isinstance(at, bool):
            parts.append(tuple(one for one in kept if float(one.axes[axis]) < at))
            parts.append(tuple(one for one in kept if float(one.axes[axis]) > at))
        else:
            parts.append(tuple(one for one in kept if one.axes[axis] != at))
    return parts


def _bound(harness: Harness, axis: str, values: Sequence[Binding]) -> Bound:
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return Bound(axis=axis, values=tuple(sorted(set(values), key=str)))
    sizes = [int(value) for value in values]
    shared = math.gcd(*sizes) if _is_innermost(harness, axis) else 1
    multiple = next((one for one in ALIGNMENTS if shared % one == 0), 1)
    return Bound(axis=axis, low=min(sizes), high=max(sizes), multiple=multiple if min(sizes) < max(sizes) else 1)


def _is_innermost(harness: Harness, axis: str) -> bool:
    """Whether rows are as long as it: then its divisors are what vector accesses rely on."""
    ends = [argument.shape[-1] for argument in harness.contract.arguments if len(argument.shape) > 1]
    return any(axis in re.findall(r"\w+", end) for end in ends) and not any(
        axis in re.findall(r"\w+", argument.shape[0]) for argument in harness.contract.arguments if argument.shape
    )


@dataclass(frozen=True, kw_only=True)
class Predicate:
    """The guard as a function: its name, its parameters among the launcher's, and its source."""

    name: str
    parameters: tuple[str, ...]
    source: str


def predicate(win: Win, guard: Guard, name: str, *, device_test: str) -> Predicate | Declined:
    """Source of `name(...)`: cheap tests first, the framework's own expression `device_test` last.

    Declined where an axis can be read off no argument of the launcher.
    """
    tensor = next(
        (one.name for one in win.harness.contract.arguments if one.kind == "tensor" and one.when == "True"), ""
    )
    if not tensor:
        return Declined(f"{win.harness.entry} takes no tensor, so its device cannot be told")
    conditions: list[str] = []
    used: dict[str, None] = {}
    for bound in guard.bounds:
        if set(bound.values) >= set(_axis(win.harness, bound.axis).choices) != set():
            continue
        found = _by_presence(win.harness, bound) or _by_value(win.harness, bound)
        if found is None:
            return Declined(f"{bound.axis} can be read off no argument of {win.harness.entry}, so no guard can test it")
        used[found[0]] = None
        conditions.append(found[1])
    for argument, value in _unseen(win):
        used[argument] = None
        conditions.append(f"{argument} is {value}" if value in ("None", "True", "False") else f"{argument} == {value}")
    used.setdefault(tensor, None)
    lines = "\n        and ".join([*conditions, device_test.format(tensor=tensor)])
    listed = ", ".join(used)
    source = f'def {name}({listed}):\n    """{_measured(win, guard)}"""\n    return (\n        {lines}\n    )\n'
    ast.parse(source)
    return Predicate(name=name, parameters=tuple(used), source=source)


def _unseen(win: Win) -> list[tuple[str, str]]:
    """Parameters of the launcher that no case gives, with their defaults: nobody saw the variant run with others."""
    known = {argument.name for argument in win.harness.contract.arguments}
    found = Source(win.source).functions[win.harness.entry].args
    every = [*found.posonlyargs, *found.args]
    last = every[len(every) - len(found.defaults) :]
    given = [*zip(last, found.defaults, strict=True), *zip(found.kwonlyargs, found.kw_defaults, strict=True)]
    return [(one.arg, ast.unparse(value)) for one, value in given if value is not None and one.arg not in known]


def _axis(harness: Harness, name: str) -> Axis:
    return next(axis for axis in harness.contract.axes if axis.name == name)


def _by_presence(harness: Harness, bound: Bound) -> tuple[str, str] | None:
    """An argument that is None for exactly the choices inside the box, or for exactly those outside it."""
    choices = _axis(harness, bound.axis).choices
    for argument in harness.contract.arguments:
        if not bound.values or names_in(argument.when) != {bound.axis}:
            continue
        given = {choice for choice in choices if evaluate(argument.when, {bound.axis: choice})}
        if given == set(bound.values):
            return argument.name, f"{argument.name} is not None"
        if given == set(choices) - set(bound.values):
            return argument.name, f"{argument.name} is None"
    return None


def _by_value(harness: Harness, bound: Bound) -> tuple[str, str] | None:
    """An argument that shows the axis as a size, a dtype or itself, and the test of it."""
    for argument in harness.contract.arguments:
        if argument.when != "True":
            continue
        if argument.kind == "value" and argument.value == f"={bound.axis}":
            return argument.name, _condition(bound, argument.name, 1)
        if argument.kind == "tensor" and argument.dtype == bound.axis:
            return argument.name, _condition(bound, f"{argument.name}.dtype", 1, spelled="torch.{}")
        for index, size in enumerate(argument.shape if argument.kind == "tensor" else ()):
            found = MULTIPLE.fullmatch(size.strip())
            if found and found["axis"] == bound.axis:
                return argument.name, _condition(bound, f"{argument.name}.shape[{index}]", int(found["by"] or 1))
    return None


def _condition(bound: Bound, text: str, factor: int, *, spelled: str = "{!r}") -> str:
    if bound.values:
        words = [spelled.format(value) for value in bound.values]
        return f"{text} == {words[0]}" if len(words) == 1 else f"{text} in ({', '.join(words)})"
    low, high = bound.low * factor, bound.high * factor
    if low == high:
        return f"{text} == {low}"
    test = f"{low} <= {text} <= {high}"
    return f"{test} and {text} % {bound.multiple * factor} == 0" if bound.multiple > 1 else test


def _measured(win: Win, guard: Guard) -> str:
    """The docstring: on what it was measured, and with which result."""
    environment = win.evaluation.environment
    ratios = sorted(f"{one.speedup.ratio:.2f}x" for workload, one in win.timed() if workload.name in guard.inside)
    span = ratios[0] if ratios[0] == ratios[-1] else f"{ratios[0]} to {ratios[-1]}"
    plural = "s" * (len(ratios) > 1)
    told = f"{environment.device}, triton {environment.triton}: {span} over {len(ratios)} workload{plural}."
    rest = textwrap.wrap(f"{told} All other calls run the original.", DOCSTRING_COLUMNS)
    lines = ["Whether the call is one on which the variant was measured to be faster.", "", *rest, ""]
    return "\n    ".join(lines).replace("\n    \n", "\n\n")


def outside(harness: Harness, guard: Guard) -> list[dict[str, Binding]]:
    """Cases just outside the box, one axis at a time, as far as the contract has such; the smallest sizes it admits."""
    base = _smallest_inside(guard)
    contract, found = harness.contract, list[dict[str, Binding]]()
    fixed = {axis.name: axis.choices[0] for axis in contract.axes if axis.choices and axis.name not in base}
    for axis in contract.axes:
        bound = next((one for one in guard.bounds if one.axis == axis.name), None)
        if bound is None:
            continue
        candidates: list[Binding] = [*axis.choices, *axis.edges]
        if not bound.values:
            candidates += [bound.low - 1, bound.high + 1, bound.low + bound.multiple - 1]
        lowest = axis.low if not axis.choices else None
        for value in dict.fromkeys(candidates):
            admitted = axis.choices == () or value in axis.choices
            low_enough = lowest is None or not isinstance(value, int) or value >= lowest
            if admitted and low_enough and not bound.holds(value):
                found.append({**fixed, **base, axis.name: value})
    return found


def _smallest_inside(guard: Guard) -> dict[str, Binding]:
    return {bound.axis: bound.values[0] if bound.values else bound.low for bound in guard.bounds}
