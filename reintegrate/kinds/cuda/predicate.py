"""A guard as a function in host C++: its conditions in the words of the framework's own files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
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
from reintegrate.kinds.cuda.host import HOSTS, Host
from reintegrate.kinds.cuda.layout import packed
from reintegrate.kinds.cuda.operator import Operator, Parameter
from reintegrate.kinds.guard import Guard
from reintegrate.kinds.predicate import measured
from reintegrate.kinds.win import Declined, Win

LITERALS = {"True": "true", "False": "false"}


class UnspokenError(Exception):
    """A condition that host code cannot ask; one line says why."""


@dataclass(frozen=True, kw_only=True)
class HostPredicate:
    """Source of the function, and which of the operator's parameters it takes."""

    name: str
    source: str
    parameters: tuple[str, ...]


def host_predicate(win: Win, guard: Guard, operator: Operator, name: str) -> HostPredicate | Declined:
    """Source of `bool name(...)`: sizes, dtypes and switches first, the architecture last.

    Declined where an axis shows in none of the operator's parameters.
    """
    tensor, asked = first_tensor(win.harness), conditions(win, guard)
    if isinstance(asked, Declined):
        return asked
    writer = _Writer(HOSTS[win.harness.provenance.framework], operator, _ranks(win))
    try:
        device = writer.member(tensor)
        tests = list(dict.fromkeys([*writer.ranks(asked), *(test for one in asked for test in writer.tests(one))]))
        if strange := writer.strange():
            return Declined(f"{strange.name} of the operator is no {writer.host.tensor} but {strange.type}")
    except UnspokenError as error:
        return Declined(str(error))
    parameters = [one for one in _in_order(operator) if one in writer.used]
    listed = [f"{_passed(one)} {one.name}" for one in parameters]
    major, minor = guard.capability
    lines = [line.format(tensor=device, major=major, minor=minor) for line in writer.host.device]
    columns = writer.host.columns
    source = "\n".join(
        [
            *_comment(win, guard, columns),
            *packed(f"static bool {name}(", listed, (", ", ") {"), columns),
            *packed("  if (!(", tests, (" && ", ")) {"), columns),
            "    return false;",
            "  }",
            *(f"  {line}" for line in lines),
            "}",
        ]
    )
    taken = tuple(one.name for one in parameters)
    return HostPredicate(name=name, source=f"{source}\n", parameters=taken)


def _ranks(win: Win) -> dict[str, int]:
    return {one.name: len(one.shape) for one in win.harness.contract.arguments if one.kind == "tensor"}


def _in_order(operator: Operator) -> list[Parameter]:
    constants = [one for one in operator.arguments.values() if one.template]
    return [*operator.parameters, *constants]


def _passed(parameter: Parameter) -> str:
    """The type under which the predicate takes it: what is no plain value, by reference to what it must not change."""
    plain = parameter.type.replace("&", "").replace("const ", "").replace(" const", "").strip()
    return f"const {plain}&" if "::" in plain else plain


class _Writer:
    """Spells conditions for an operator, and keeps which of its parameters they name."""

    def __init__(self, host: Host, operator: Operator, ranks: dict[str, int]) -> None:
        self.host, self.operator, self._ranks = host, operator, ranks
        self.used: dict[Parameter, None] = {}
        self._tensors: dict[str, Parameter] = {}

    def ranks(self, asked: Sequence[Condition]) -> Iterator[str]:
        """How many sizes each tensor has whose sizes are asked for, once it is certain that it is there."""
        readings = [one.reading for one in asked if isinstance(one, OneOf | Between)]
        sizes = [part for one in readings for part in ((one.of, one.by) if isinstance(one, Quotient) else (one,))]
        always = dict.fromkeys(one.argument for one in sizes if isinstance(one, Size | Dtype) and not _is_itself(one))
        for argument in always:
            if (parameter := self.parameter(argument)).optional:
                yield f"{parameter.name}.has_value()"
        for argument in dict.fromkeys(one.argument for one in sizes if isinstance(one, Size)):
            yield f"{self.host.rank.format(tensor=self.member(argument))} == {self._ranks[argument]}"

    def tests(self, condition: Condition) -> Iterator[str]:
        """A condition as one or more tests, all of which have to hold."""
        match condition:
            case Given(argument, there):
                parameter = self.parameter(argument)
                if not parameter.optional:
                    raise UnspokenError(f"{parameter.name} of the operator cannot be left out")
                yield f"{'' if there else '!'}{parameter.name}.has_value()"
            case Equals(argument, source):
                yield self._equals(self.parameter(argument), source)
            case OneOf(reading, values):
                words = [self._is(reading, value) for value in values]
                yield words[0] if len(words) == 1 else f"({' || '.join(words)})"
            case Between(reading, low, high, multiple):
                if isinstance(reading, Quotient):
                    of, by = self._text(reading.of), self._text(reading.by)
                    yield from (f"{by} > 0", f"{of} % {by} == 0")
                text = self._text(reading)
                yield from [f"{text} == {low}"] if low == high else [f"{low} <= {text}", f"{text} <= {high}"]
                if multiple > 1 and low < high:
                    yield f"{text} % {multiple} == 0"

    def parameter(self, argument: str) -> Parameter:
        found = self.operator.arguments.get(argument)
        if found is None:
            raise UnspokenError(f"{argument} is handed to no parameter of the operator, so no guard can test it")
        self.used[found] = None
        return found

    def member(self, argument: str) -> str:
        """What a member of a tensor is spelled behind."""
        if not argument:
            raise UnspokenError("no tensor is always given, so the device cannot be told")
        found = self._tensors[argument] = self.parameter(argument)
        return f"{found.name}->" if found.optional else f"{found.name}."

    def strange(self) -> Parameter | None:
        """A tensor by the contract that is another type in the operator."""
        return next((one for one in self._tensors.values() if self.host.tensor not in one.type), None)

    def _equals(self, parameter: Parameter, source: str) -> str:
        if source == "None" and parameter.optional:
            return f"!{parameter.name}.has_value()"
        if source in LITERALS and parameter.type.split()[-1] == "bool":
            return f"{'' if source == 'True' else '!'}{parameter.name}"
        try:
            number = float(source)
        except ValueError:
            raise UnspokenError(
                f"{parameter.name} was checked with {source} only, which host code cannot ask"
            ) from None
        return f"{parameter.name} == {int(number) if number == int(number) and '.' not in source else source}"

    def _is(self, reading: Reading, value: object) -> str:
        if isinstance(reading, Dtype):
            if reading.itself or str(value) not in self.host.dtypes:
                raise UnspokenError(f"kmaint has no word for the dtype {value} in this host code")
            return self.host.dtype.format(tensor=self.member(reading.argument), dtype=self.host.dtypes[str(value)])
        if isinstance(reading, Size):
            return f"{self._text(reading)} == {value}"
        return self._equals(self.parameter(reading.argument), repr(value))

    def _text(self, reading: Reading) -> str:
        match reading:
            case Size(argument, index):
                return self.host.size.format(tensor=self.member(argument), index=index)
            case Quotient(of, by):
                return f"{self._text(of)} / {self._text(by)}"
            case _:
                parameter = self.parameter(reading.argument)
                if parameter.optional:
                    raise UnspokenError(f"{parameter.name} of the operator may be left out, so it shows no size")
                return parameter.name


def _is_itself(reading: Reading) -> bool:
    return isinstance(reading, Dtype) and reading.itself


def _comment(win: Win, guard: Guard, columns: int) -> list[str]:
    """What was measured: device, ratios, and the sizes of each workload that has any of its own."""
    head = "Whether the call is one on which the variant above was measured to be faster."
    inside = [(one, timed.speedup.ratio) for one, timed in win.timed() if one.name in guard.inside]
    apart = [bound.axis for bound in guard.bounds if len({one.axes[bound.axis] for one, _ in inside}) > 1]
    each = [f"{', '.join(f'{axis} {one.axes[axis]}' for axis in apart)}: {ratio:.2f}x" for one, ratio in inside]
    told = [f"{'; '.join(each)}."] if apart else []
    blocks = [head, "", measured(win, guard), *told]
    return [f"// {line}".rstrip() for block in blocks for line in (textwrap.wrap(block, columns - len("// ")) or [""])]
