"""A guard as source that a reviewer can read: its conditions as a function in Python, or the words about it."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass

from reintegrate.kinds.conditions import (
    Between,
    Condition,
    Dtype,
    Equals,
    Given,
    OneOf,
    Quotient,
    Reading,
    Size,
    conditions,
    first_tensor,
)
from reintegrate.kinds.guard import Guard, on_device
from reintegrate.kinds.win import Declined, Win

DOCSTRING_COLUMNS = 84
"""What is left of 88 inside a function."""


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
    tensor = first_tensor(win.harness)
    if not tensor:
        return Declined(f"{win.harness.entry} takes no tensor, so its device cannot be told")
    asked = conditions(win, guard)
    if isinstance(asked, Declined):
        return asked
    used = dict.fromkeys([argument for one in asked for argument in one.arguments] + [tensor])
    lines = "\n        and ".join([*map(_test, asked), device_test.format(tensor=tensor)])
    listed = ", ".join(used)
    told = _docstring(win, guard)
    source = f'def {name}({listed}):\n    """{told}"""\n    return (\n        {lines}\n    )\n'
    ast.parse(source)
    return Predicate(name=name, parameters=tuple(used), source=source)


def _test(condition: Condition) -> str:
    match condition:
        case Given(argument, there):
            return f"{argument} is not None" if there else f"{argument} is None"
        case Equals(argument, source):
            return _equals(argument, source)
        case OneOf(reading, values):
            spelled = "torch.{}" if isinstance(reading, Dtype) else "{!r}"
            words = [spelled.format(value) for value in values]
            text = _text(reading)
            return _equals(text, words[0]) if len(words) == 1 else f"{text} in ({', '.join(words)})"
        case Between(Quotient(of, by) as reading):
            whole = f"{_text(by)} > 0 and {_text(of)} % {_text(by)} == 0"
            return f"{whole} and {_between(condition, _text(reading))}"
        case Between(reading):
            return _between(condition, _text(reading))


def _text(reading: Reading) -> str:
    match reading:
        case Size(argument, index):
            return f"{argument}.shape[{index}]"
        case Dtype(argument, itself=False):
            return f"{argument}.dtype"
        case Quotient(of, by):
            return f"{_text(of)} // {_text(by)}"
        case _:
            return reading.argument


def _between(found: Between, text: str) -> str:
    if found.low == found.high:
        return f"{text} == {found.low}"
    test = f"{found.low} <= {text} <= {found.high}"
    return f"{test} and {text} % {found.multiple} == 0" if found.multiple > 1 else test


def _equals(argument: str, value: str) -> str:
    if value in ("True", "False"):
        return argument if value == "True" else f"not {argument}"
    return f"{argument} is None" if value == "None" else f"{argument} == {value}"


def _docstring(win: Win, guard: Guard) -> str:
    rest = textwrap.wrap(measured(win, guard), DOCSTRING_COLUMNS)
    lines = ["Whether the call is one on which the variant was measured to be faster.", "", *rest, ""]
    return "\n    ".join(lines).replace("\n    \n", "\n\n")


def measured(win: Win, guard: Guard) -> str:
    """On what it was measured, with which result, and what no launcher can see."""
    environment = win.evaluation.environment
    cuda = win.harness.language == "cuda" and environment.cuda
    compiler = f"CUDA {environment.cuda}" if cuda else f"triton {environment.triton}"
    ratios = sorted(one.speedup.ratio for workload, one in win.timed() if workload.name in guard.inside)
    span = " to ".join(dict.fromkeys(f"{ratio:.2f}x" for ratio in (ratios[0], ratios[-1])))
    plural = "s" * (len(ratios) > 1)
    told = f"{environment.device}, {compiler}: {span} over {len(ratios)} workload{plural}."
    lengths = sorted(
        {
            f"{one.name} up to {limit}"
            for axis, limit in on_device(win.harness.contract).items()
            for one in win.harness.contract.arguments
            if one.values == "lengths" and one.bound.strip() == axis
        }
    )
    unseen = f" It takes any lengths in {', '.join(lengths)}." if lengths else ""
    return f"{told}{unseen} All other calls run the original."
