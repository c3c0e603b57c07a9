"""What a guard asks of a call: each axis by what shows it among the launcher's arguments, in no language yet."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kmaint.expression import evaluate, names_in
from kmaint.folder import KERNEL
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument, Axis, Binding
from kmaint.spans import Source
from reintegrate.kinds.guard import Bound, Guard
from reintegrate.kinds.win import Declined, Win

MULTIPLE = re.compile(r"(?:(?P<by>\d+)\s*\*\s*)?(?P<axis>[A-Za-z_]\w*)")


@dataclass(frozen=True)
class Size:
    """One size of a tensor that is given inside the box."""

    argument: str
    index: int


@dataclass(frozen=True)
class Dtype:
    """Of a tensor, or an argument that is a dtype `itself`."""

    argument: str
    itself: bool = False


@dataclass(frozen=True)
class Value:
    """An argument as it is given."""

    argument: str


@dataclass(frozen=True)
class Quotient:
    """How often one size goes into another; holds only where it does without a rest."""

    of: Size
    by: Size

    @property
    def argument(self) -> str:
        return self.of.argument


Reading = Size | Dtype | Value | Quotient


@dataclass(frozen=True)
class Given:
    """Whether an argument is there, or None."""

    argument: str
    there: bool

    @property
    def arguments(self) -> tuple[str, ...]:
        return (self.argument,)


@dataclass(frozen=True)
class Equals:
    """An argument that is what `source` is in Python."""

    argument: str
    source: str

    @property
    def arguments(self) -> tuple[str, ...]:
        return (self.argument,)


@dataclass(frozen=True)
class OneOf:
    """A reading that is one of a few values; of dtypes these are torch's names."""

    reading: Reading
    values: tuple[object, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        return (self.reading.argument,)


@dataclass(frozen=True)
class Between:
    """A whole number from `low` to `high` that `multiple` divides."""

    reading: Reading
    low: int
    high: int
    multiple: int = 1

    @property
    def arguments(self) -> tuple[str, ...]:
        first = self.reading.argument
        return (first, self.reading.by.argument) if isinstance(self.reading, Quotient) else (first,)


Condition = Given | Equals | OneOf | Between


def conditions(win: Win, guard: Guard) -> tuple[Condition, ...] | Declined:
    """Cheap tests that hold for exactly the calls inside the guard, but for device and lengths that lie on it.

    Declined where an axis can be read off no argument of the launcher.
    """
    found: list[Condition] = []
    for bound in guard.bounds:
        if set(bound.values) >= set(_axis(win.harness, bound.axis).choices) != set():
            continue
        one = _by_presence(win.harness, bound) or _read_off(win.harness, bound, guard)
        if one is None:
            return Declined(f"{bound.axis} can be read off no argument of {win.harness.entry}, so no guard can test it")
        found.append(one)
    found.sort(key=lambda one: not isinstance(one, Given))  # before its sizes are read, a tensor has to be there
    return (*found, *(Equals(*one) for one in (*fixed_values(win.harness), *_unseen(win))))


def _read_off(harness: Harness, bound: Bound, guard: Guard) -> Condition | None:
    """By an argument that is always given, or else by one that is given inside the box."""
    fixed = _fixed(harness, guard)
    every = harness.contract.arguments
    inside = [one for one in every if names_in(one.when) <= fixed.keys() and evaluate(one.when, fixed)]
    for given in ([one for one in every if one.when == "True"], inside):
        found = (
            _by_value(given, bound)
            or _by_choice(given, bound, _axis(harness, bound.axis), fixed)
            or _by_product(given, bound, fixed)
            or _by_quotient(given, bound)
        )
        if found:
            return found
    return None


def first_tensor(harness: Harness) -> str:
    """An argument that tells the device of a call; empty where none is a tensor that is always given."""
    always = (one.name for one in harness.contract.arguments if one.kind == "tensor" and one.when == "True")
    return next(always, "")


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


def _unseen(win: Win) -> list[tuple[str, str]]:
    """Parameters of the launcher that no case gives, with their defaults: nobody saw the variant run with others."""
    known = {argument.name for argument in win.harness.contract.arguments}
    return [(name, ast.unparse(value)) for name, value in defaults(win).items() if name not in known]


def defaults(win: Win) -> dict[str, ast.expr]:
    """The launcher's parameters that have a default, with it; a winner in CUDA C++ leaves its launcher alone."""
    text = win.source if win.harness.language == "triton" else (win.harness.folder / KERNEL).read_text()
    found = Source(text).functions[win.harness.entry].args
    every = [*found.posonlyargs, *found.args]
    last = every[len(every) - len(found.defaults) :]
    given = [*zip(last, found.defaults, strict=True), *zip(found.kwonlyargs, found.kw_defaults, strict=True)]
    return {one.arg: value for one, value in given if value is not None}


def _axis(harness: Harness, name: str) -> Axis:
    return next(axis for axis in harness.contract.axes if axis.name == name)


def _by_presence(harness: Harness, bound: Bound) -> Condition | None:
    """An argument that is None for exactly the choices inside the box, or for exactly those outside it."""
    choices = _axis(harness, bound.axis).choices
    for argument in harness.contract.arguments:
        if not bound.values or names_in(argument.when) != {bound.axis}:
            continue
        given = {choice for choice in choices if evaluate(argument.when, {bound.axis: choice})}
        if given == set(bound.values):
            return Given(argument.name, there=True)
        if given == set(choices) - set(bound.values):
            return Given(argument.name, there=False)
    return None


def _by_value(given: Sequence[Argument], bound: Bound) -> Condition | None:
    """An argument that shows the axis as a size, a dtype or itself, and the test of it."""
    for argument in given:
        if argument.kind == "value" and argument.value == f"={bound.axis}":
            return _within(bound, Value(argument.name), 1)
        if argument.kind == "value" and argument.value == {"dtype": bound.axis}:
            return _within(bound, Dtype(argument.name, itself=True), 1)
        if argument.kind == "tensor" and argument.dtype == bound.axis:
            return _within(bound, Dtype(argument.name), 1)
        for reading, size in _sizes(argument):
            found = MULTIPLE.fullmatch(size)
            if found and found["axis"] == bound.axis:
                return _within(bound, reading, int(found["by"] or 1))
    return None


def _sizes(argument: Argument) -> Iterator[tuple[Size, str]]:
    """Each size of a tensor: where it stands, and what it is in the contract's axes."""
    if argument.kind == "tensor":
        for index, size in enumerate(argument.shape):
            yield Size(argument.name, index), size.strip()


def _by_choice(given: Sequence[Argument], bound: Bound, axis: Axis, fixed: Mapping[str, Binding]) -> Condition | None:
    """A value or size that is another for every choice outside the box, all else in it being fixed inside the box."""
    for argument in given if bound.values else ():
        value = argument.value
        computed = isinstance(value, str) and value.startswith("=")
        told: list[tuple[Reading, str]] = [(Value(argument.name), str(value)[1:])] if computed else []
        for reading, text in (*told, *_sizes(argument)):
            names = names_in(text)
            if bound.axis not in names or not names - {bound.axis} <= fixed.keys():
                continue
            inside = [evaluate(text, {**fixed, bound.axis: choice}) for choice in bound.values]
            others = [evaluate(text, {**fixed, bound.axis: one}) for one in axis.choices if one not in bound.values]
            if not any(one in inside for one in others):
                values = tuple(sorted(set(inside), key=repr))
                single = isinstance(reading, Value) and len(values) == 1
                return Equals(argument.name, repr(values[0])) if single else OneOf(reading, values)
    return None


def _fixed(harness: Harness, guard: Guard) -> dict[str, Binding]:
    """Axes that have one value inside the box."""
    fixed: dict[str, Binding] = {one.axis: one.low for one in guard.bounds if not one.values and one.low == one.high}
    fixed |= {one.axis: one.values[0] for one in guard.bounds if len(one.values) == 1}
    return fixed | {axis.name: axis.choices[0] for axis in harness.contract.axes if len(axis.choices) == 1}


def _by_product(given: Sequence[Argument], bound: Bound, fixed: Mapping[str, Binding]) -> Condition | None:
    """A size that grows with the axis, all else in it being fixed inside the box."""
    for argument in given:
        for reading, size in _sizes(argument):
            names = names_in(size)
            if bound.axis in names and not bound.values and names - {bound.axis} <= fixed.keys():
                low, high = (int(evaluate(size, {**fixed, bound.axis: end})) for end in (bound.low, bound.high))
                return Between(reading, low, high)
    return None


def _by_quotient(given: Sequence[Argument], bound: Bound) -> Condition | None:
    """A size that is the axis times one that shows by itself, as query heads are those of a group times the groups."""
    shown: dict[str, Size] = {}
    for argument in given:
        for reading, size in _sizes(argument):
            shown.setdefault(size, reading)
    for argument in given:
        for reading, size in _sizes(argument):
            first, times, second = (part.strip() for part in size.partition("*"))
            other = {first: second, second: first}.get(bound.axis, "")
            if times and other in shown and not bound.values:
                return _within(bound, Quotient(reading, shown[other]), 1)
    return None


def _within(bound: Bound, reading: Reading, factor: int) -> Condition:
    if bound.values:
        return OneOf(reading, bound.values)
    return Between(
        reading, bound.low * factor, bound.high * factor, bound.multiple * factor if bound.multiple > 1 else 1
    )
