"""A guard as source that a reviewer can read: each axis by what shows it among the launcher's arguments."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from kmaint.expression import evaluate, names_in
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument, Axis, Binding
from kmaint.spans import Source
from reintegrate.kinds.guard import Bound, Guard, on_device
from reintegrate.kinds.win import Declined, Win

DOCSTRING_COLUMNS = 84
"""What is left of 88 inside a function."""
MULTIPLE = re.compile(r"(?:(?P<by>\d+)\s*\*\s*)?(?P<axis>[A-Za-z_]\w*)")


@dataclass(frozen=True, kw_only=True)
class Predicate:
    """The guard as a function: its name, its parameters among the launcher's, and its source."""

    name: str
    parameters: tuple[str, ...]
    source: str


def predicate(win: Win, guard: Guard, name: str, *, device_test: str) -> Predicate | Declined:
    """Source of `name(...)`: cheap tests first, the framework's own expression `device_test` last.

    Declined where an axis can be read off no argument of the launcher, unless it is a length that lies on the device.
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
        found = (
            _by_presence(win.harness, bound)
            or _by_value(win.harness, bound)
            or _by_choice(win.harness, bound)
            or _by_product(win.harness, bound, guard)
            or _by_quotient(win.harness, bound)
        )
        if found is None:
            return Declined(f"{bound.axis} can be read off no argument of {win.harness.entry}, so no guard can test it")
        used.update(dict.fromkeys(found[0].split()))
        conditions.append(found[1])
    for argument, value in (*fixed_values(win.harness), *_unseen(win)):
        used[argument] = None
        conditions.append(_equals(argument, value))
    used.setdefault(tensor, None)
    lines = "\n        and ".join([*conditions, device_test.format(tensor=tensor)])
    listed = ", ".join(used)
    source = f'def {name}({listed}):\n    """{_measured(win, guard)}"""\n    return (\n        {lines}\n    )\n'
    ast.parse(source)
    return Predicate(name=name, parameters=tuple(used), source=source)


def fixed_values(harness: Harness) -> list[tuple[str, str]]:
    """Arguments that every case gives one value, as source: switches and modes. A number such as an epsilon is none."""
    found: list[tuple[str, str]] = []
    for argument in harness.contract.arguments:
        value: object = argument.value
        if isinstance(value, dict) and "tuple" in value:
            value = tuple(value["tuple"]) if isinstance(value["tuple"], list) else value
        computed = isinstance(value, str) and value.startswith("=")
        computed = computed or (isinstance(value, tuple) and any(str(item).startswith("=") for item in value))
        is_switch = isinstance(value, bool | int | str | tuple | None) or value in (0.0, 1.0)
        if argument.kind == "value" and argument.when == "True" and is_switch and not computed:
            found.append((argument.name, repr(value)))
    return found


def _equals(argument: str, value: str) -> str:
    if value in ("True", "False"):
        return argument if value == "True" else f"not {argument}"
    return f"{argument} is None" if value == "None" else f"{argument} == {value}"


def _unseen(win: Win) -> list[tuple[str, str]]:
    """Parameters of the launcher that no case gives, with their defaults: nobody saw the variant run with others."""
    known = {argument.name for argument in win.harness.contract.arguments}
    return [(name, ast.unparse(value)) for name, value in defaults(win).items() if name not in known]


def defaults(win: Win) -> dict[str, ast.expr]:
    """The launcher's parameters that have a default, with it."""
    found = Source(win.source).functions[win.harness.entry].args
    every = [*found.posonlyargs, *found.args]
    last = every[len(every) - len(found.defaults) :]
    given = [*zip(last, found.defaults, strict=True), *zip(found.kwonlyargs, found.kw_defaults, strict=True)]
    return {one.arg: value for one, value in given if value is not None}


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
        if argument.kind == "value" and argument.value == {"dtype": bound.axis}:
            return argument.name, _condition(bound, argument.name, 1, spelled="torch.{}")
        if argument.kind == "tensor" and argument.dtype == bound.axis:
            return argument.name, _condition(bound, f"{argument.name}.dtype", 1, spelled="torch.{}")
        for text, size in _sizes(argument):
            found = MULTIPLE.fullmatch(size)
            if found and found["axis"] == bound.axis:
                return argument.name, _condition(bound, text, int(found["by"] or 1))
    return None


def _sizes(argument: Argument) -> Iterator[tuple[str, str]]:
    """Each size of a tensor that is always given: how a launcher reads it, and what it is in the contract's axes."""
    if argument.kind == "tensor" and argument.when == "True":
        for index, size in enumerate(argument.shape):
            yield f"{argument.name}.shape[{index}]", size.strip()


def _by_choice(harness: Harness, bound: Bound) -> tuple[str, str] | None:
    """A value argument that follows from the axis alone, and is another for every choice outside the box."""
    for argument in harness.contract.arguments:
        value = argument.value
        if not bound.values or not isinstance(value, str) or not value.startswith("=") or argument.when != "True":
            continue
        if names_in(value[1:]) == {bound.axis}:
            choices = _axis(harness, bound.axis).choices
            inside = [evaluate(value[1:], {bound.axis: choice}) for choice in bound.values]
            others = [evaluate(value[1:], {bound.axis: one}) for one in choices if one not in bound.values]
            if not any(one in inside for one in others):
                words = sorted({repr(one) for one in inside})
                several = f"{argument.name} in ({', '.join(words)})"
                return argument.name, _equals(argument.name, words[0]) if len(words) == 1 else several
    return None


def _by_product(harness: Harness, bound: Bound, guard: Guard) -> tuple[str, str] | None:
    """A size that grows with the axis, all else in it being fixed inside the box."""
    fixed: dict[str, Binding] = {one.axis: one.low for one in guard.bounds if not one.values and one.low == one.high}
    fixed |= {axis.name: axis.choices[0] for axis in harness.contract.axes if len(axis.choices) == 1}
    for argument in harness.contract.arguments:
        for text, size in _sizes(argument):
            names = names_in(size)
            if bound.axis in names and not bound.values and names - {bound.axis} <= fixed.keys():
                low, high = (int(evaluate(size, {**fixed, bound.axis: end})) for end in (bound.low, bound.high))
                ends = Bound(axis=bound.axis, low=low, high=high)
                return argument.name, _condition(ends, text, 1)
    return None


def _by_quotient(harness: Harness, bound: Bound) -> tuple[str, str] | None:
    """A size that is the axis times one that shows by itself, as query heads are those of a group times the groups."""
    shown: dict[str, tuple[str, str]] = {}
    for argument in harness.contract.arguments:
        for text, size in _sizes(argument):
            shown.setdefault(size, (argument.name, text))
    for argument in harness.contract.arguments:
        for text, size in _sizes(argument):
            first, times, second = (part.strip() for part in size.partition("*"))
            other = {first: second, second: first}.get(bound.axis, "")
            if times and other in shown and not bound.values:
                name, divisor = shown[other]
                whole = f"{divisor} > 0 and {text} % {divisor} == 0"
                return f"{argument.name} {name}", f"{whole} and {_condition(bound, f'{text} // {divisor}', 1)}"
    return None


def _condition(bound: Bound, text: str, factor: int, *, spelled: str = "{!r}") -> str:
    if bound.values in ((True,), (False,)):
        return text if bound.values[0] else f"not {text}"
    if bound.values:
        words = [spelled.format(value) for value in bound.values]
        return f"{text} == {words[0]}" if len(words) == 1 else f"{text} in ({', '.join(words)})"
    low, high = bound.low * factor, bound.high * factor
    if low == high:
        return f"{text} == {low}"
    test = f"{low} <= {text} <= {high}"
    return f"{test} and {text} % {bound.multiple * factor} == 0" if bound.multiple > 1 else test


def _measured(win: Win, guard: Guard) -> str:
    """The docstring: on what it was measured, with which result, and what no launcher can see."""
    environment = win.evaluation.environment
    ratios = sorted(f"{one.speedup.ratio:.2f}x" for workload, one in win.timed() if workload.name in guard.inside)
    span = ratios[0] if ratios[0] == ratios[-1] else f"{ratios[0]} to {ratios[-1]}"
    plural = "s" * (len(ratios) > 1)
    told = f"{environment.device}, triton {environment.triton}: {span} over {len(ratios)} workload{plural}."
    lengths = sorted(
        {
            f"{one.name} up to {limit}"
            for axis, limit in on_device(win.harness.contract).items()
            for one in win.harness.contract.arguments
            if one.values == "lengths" and one.bound.strip() == axis
        }
    )
    unseen = f" It takes any lengths in {', '.join(lengths)}." if lengths else ""
    rest = textwrap.wrap(f"{told}{unseen} All other calls run the original.", DOCSTRING_COLUMNS)
    lines = ["Whether the call is one on which the variant was measured to be faster.", "", *rest, ""]
    return "\n    ".join(lines).replace("\n    \n", "\n\n")
