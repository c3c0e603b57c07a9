"""Arguments of a launcher as source: plain torch calls over a case's sizes, for files that know nothing of kmaint."""

from __future__ import annotations

import json
from collections.abc import Iterator

from kmaint.expression import evaluate, names_in
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument, Axis, Binding, Json

CONTENTS = {
    "normal": "torch.randn({shape}, device=device)",
    "output": "torch.zeros({shape}, device=device)",
    "scratch": "torch.zeros({shape}, device=device)",
    "ones": "torch.ones({shape}, device=device)",
    "scale": "torch.rand({shape}, device=device) + 0.5",
    "log_sum_exp": "torch.randn({shape}, device=device) * 3 + 5",
    "index": "torch.randint(0, {bound}, {shape}, device=device)",
    "slots": "torch.randperm({bound}, device=device)[: {count}].reshape({shape})",
    "permutation": "torch.randperm({bound}, device=device)[: {count}].reshape({shape})",
    "lengths": "torch.full({shape}, {bound}, device=device)",
    "arange": "torch.arange({count}, device=device).reshape({shape}) * ({bound})",
    "zeros": "torch.zeros({shape}, device=device)",
    "cos_sin": "torch.cos(torch.randn({shape}, device=device))",
}
"""Ordinary contents of each kind that a file can have without the harness; see the harness's contents.py."""

FUNCTIONS = {
    "min": "",
    "max": "",
    "sqrt": "def sqrt(x):\n    return x**0.5\n",
    "cdiv": "def cdiv(a, b):\n    return -(-a // b)\n",
    "next_power_of_2": "def next_power_of_2(n):\n    return 1 << max(0, n - 1).bit_length()\n",
}
"""Functions of a contract's expressions, as source where Python has them not."""

MOST_WORK = 1 << 14
"""Elements of a small case: what the Triton interpreter goes through in a moment."""
MOST_CASES = 8


class NotPlainError(Exception):
    """Something of the contract cannot be said in a few lines of torch; the message is the reason."""


def axes_of(harness: Harness) -> tuple[str, ...]:
    """The axes, as the parameters of `make_inputs`."""
    return tuple(axis.name for axis in harness.contract.axes)


def make_inputs(harness: Harness) -> str:
    """Source of `make_inputs(AXES..., device)`. NotPlainError where the arguments are no few lines of torch."""
    lines = [f"def make_inputs({', '.join(axes_of(harness))}, device):", "    torch.manual_seed(0)", "    return {"]
    lines += [f"        {argument.name!r}: {_argument(harness, argument)}," for argument in harness.contract.arguments]
    text = "\n".join([*lines, "    }\n"])
    needed = [source for name, source in FUNCTIONS.items() if source and f"{name}(" in text]
    return "\n\n".join([*needed, text])


def _argument(harness: Harness, argument: Argument) -> str:
    text = _tensor(harness, argument) if argument.kind == "tensor" else _value(harness, argument.value)
    return text if argument.when == "True" else f"({text} if {_plain(harness, argument.when)} else None)"


def _tensor(harness: Harness, argument: Argument) -> str:
    if argument.values not in CONTENTS:
        raise NotPlainError(f"the contents of {argument.name} are {argument.values}, which no line of torch gives")
    if argument.strides:
        raise NotPlainError(f"{argument.name} is a view with strides of its own")
    sizes = [_plain(harness, size) for size in argument.shape]
    shape = f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"
    bound = _plain(harness, argument.bound) if argument.bound else "1"
    made = CONTENTS[argument.values].format(
        shape=shape, bound=bound, count=" * ".join(f"({size})" for size in sizes) or "1"
    )
    dtype = argument.dtype if argument.dtype in axes_of(harness) else f"torch.{argument.dtype}"
    return f"{made}.to({dtype})" if made.startswith("torch.") and made.endswith(")") else f"({made}).to({dtype})"


def _value(harness: Harness, value: Json) -> str:
    match value:
        case str() if value.startswith("="):
            return _plain(harness, value[1:])
        case {"dtype": str(name)}:
            return name if name in axes_of(harness) else f"torch.{name}"
        case {"tuple": list(items)}:
            return f"({', '.join(_value(harness, item) for item in items)},)"
        case list():
            return f"[{', '.join(_value(harness, item) for item in value)}]"
        case dict():
            raise NotPlainError(f"{json.dumps(value)} is no plain value")
        case _:
            return repr(value)


def _plain(harness: Harness, expression: str) -> str:
    """The expression as it stands, once it is certain that Python reads it as the contract does."""
    if strange := names_in(expression) - set(axes_of(harness)) - FUNCTIONS.keys():
        raise NotPlainError(f"{expression!r} uses {min(strange)}")
    return expression.strip()


def case(harness: Harness, axes: dict[str, Binding]) -> str:
    """One case as a tuple in the order of the axes; dtypes as torch's."""
    values = [_binding(axes[name], harness) for name in axes_of(harness)]
    return f"({', '.join(values)}{',' * (len(values) == 1)})"


def _binding(value: Binding, harness: Harness) -> str:
    is_dtype = any(value in axis.choices and _is_dtype_axis(harness, axis) for axis in harness.contract.axes)
    return f"torch.{value}" if isinstance(value, str) and is_dtype else repr(value)


def _is_dtype_axis(harness: Harness, axis: Axis) -> bool:
    return any(axis.name in (argument.dtype, _named_dtype(argument)) for argument in harness.contract.arguments)


def _named_dtype(argument: Argument) -> str:
    """The dtype that a value argument names, which the launcher makes its output of; empty for any other."""
    return str(argument.value["dtype"]) if isinstance(argument.value, dict) and "dtype" in argument.value else ""


def refuse_narrow(harness: Harness) -> None:
    """NotPlainError where an output is of eight bits, which have no tolerance here."""
    for argument in harness.contract.arguments:
        name = _named_dtype(argument) or (argument.dtype if argument.values == "output" else "")
        axis = next((axis for axis in harness.contract.axes if axis.name == name), None)
        for dtype in axis.choices if axis else (name,):
            if str(dtype).startswith(("float8", "int8", "uint8")):
                raise NotPlainError(f"{argument.name} makes it write {dtype}, which no tolerance here is for")


def small_cases(harness: Harness) -> list[dict[str, Binding]]:
    """Each axis at its choices and edges, the others small; few, and each of little work."""
    contract = harness.contract
    base = {axis.name: _smallest(axis) for axis in contract.axes}
    varied = [{**base, axis.name: value} for axis in contract.axes for value in _values(axis)]
    kept: list[dict[str, Binding]] = []
    for one in [base, *varied]:
        within = all(axis.choices or axis.low <= int(one[axis.name]) for axis in contract.axes)
        if (
            one not in kept
            and within
            and _work(one) <= MOST_WORK
            and all(evaluate(c, one) for c in contract.constraints)
        ):
            kept.append(one)
    return sorted(kept, key=_work)[:MOST_CASES]


def _values(axis: Axis) -> tuple[Binding, ...]:
    return axis.choices or (*axis.edges, max(1, axis.low) + 2)


def _smallest(axis: Axis) -> Binding:
    if axis.choices:
        return axis.choices[0]
    return max(1, axis.low)


def _work(axes: dict[str, Binding]) -> int:
    work = 1
    for value in _sizes(axes):
        work *= max(1, value)
    return work


def _sizes(axes: dict[str, Binding]) -> Iterator[int]:
    return (value for value in axes.values() if isinstance(value, int) and not isinstance(value, bool))
