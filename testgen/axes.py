"""What a contract's axes mean for a test: what to draw for each, which one counts rows, what keeps a case small."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from kmaint.expression import evaluate
from kmaint.expression import names_in as mentioned
from kmaint.records.workload import Argument, Axis, Binding, Contract

PRIMES = (3, 7, 13, 31, 61, 127, 251, 509, 1021)
"""Sizes that no block divides."""

SMALL = 128
"""What the interpreter is given along an axis that does not count rows."""


def names_in(expression: object) -> set[str]:
    """The names that an expression of a contract mentions; empty for what is none."""
    return mentioned(expression) if isinstance(expression, str) and expression else set()


def sizes(axis: Axis) -> list[int]:
    """Whole numbers that an axis is most worth trying at: both ends, around each edge, and primes."""
    near = {edge + step for edge in (*axis.edges, axis.low, axis.high) for step in (-1, 0, 1)}
    return sorted(size for size in {0, 1, 2, *PRIMES, *near} if axis.low <= size <= axis.high)


def choices(axis: Axis) -> list[Binding]:
    """The axis's choices with the smallest number first: Hypothesis shrinks towards the first."""
    numbers = all(isinstance(choice, (int, float)) for choice in axis.choices)
    return sorted(axis.choices, key=lambda choice: float(choice)) if numbers else list(axis.choices)


def strategy(axis: Axis) -> str:
    """The source of the axis's strategy."""
    if axis.choices:
        return f"st.sampled_from({choices(axis)!r})"
    return f"st.sampled_from({sizes(axis)!r}) | st.integers({axis.low}, {axis.high})"


def meaning(axis: Axis, arguments: Iterable[Argument]) -> str:
    """What an axis is to the launcher's arguments, in words: `T: dimension 0 of key and value.`"""
    found: dict[str, list[str]] = {}
    for argument in arguments:
        for words in _uses(axis.name, argument):
            found.setdefault(words, []).append(argument.name)
    text = "; ".join(f"{words} {_listed(names)}" for words, names in found.items())
    edges = _listed([str(edge) for edge in axis.edges]) if axis.edges and not axis.choices else ""
    return f"{axis.name}: {text or 'known to the launcher only'}." + (f" Its edges are {edges}." if edges else "")


def _uses(name: str, argument: Argument) -> Iterator[str]:
    if argument.when != "True" and name in names_in(argument.when):
        yield "decides whether there is"
    if argument.kind == "value":
        if _mentions(argument.value, name):
            yield "passed as"
        return
    if argument.dtype == name:
        yield "dtype of"
    for index, size in enumerate(argument.shape):
        if size == name:
            yield "last dimension of" if 0 < index == len(argument.shape) - 1 else f"dimension {index} of"
        elif name in names_in(size):
            yield "part of the size of"
    if name in names_in(argument.bound):
        yield "bounds the contents of"


def _mentions(value: object, name: str) -> bool:
    match value:
        case str() if value.startswith("="):
            return name in names_in(value[1:])
        case {"dtype": dtype}:
            return bool(dtype == name)
        case {"tuple": list(items)} | list(items):
            return any(_mentions(item, name) for item in items)
        case _:
            return False


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def leading_axis(contract: Contract) -> str | None:
    """The axis that counts rows (tokens, mostly): whole numbers, and the first dimension of the most tensors."""
    ranges = {axis.name for axis in contract.axes if not axis.choices}
    first = [a.shape[0] for a in contract.arguments if a.kind == "tensor" and a.shape and a.shape[0] in ranges]
    return max(first, key=first.count) if first else None


def rows_each(contract: Contract, leading: str) -> str:
    """The source, over a dict `axes`, of how many rows each step along the leading axis adds to its largest tensor."""
    shapes = [a.shape[1:-1] for a in contract.arguments if a.kind == "tensor" and a.shape[:1] == (leading,)]
    most = max(shapes, key=len, default=())
    if all(size.isidentifier() for size in most):
        return " * ".join(f'axes["{size}"]' for size in most) or "1"
    return f'int(evaluate("{" * ".join(f"({size})" for size in most)}", axes))'


def keeps_rows_apart(contract: Contract, leading: str) -> bool:
    """Whether the leading part of a larger case is a case: the axis is a first dimension and appears nowhere else."""
    for argument in contract.arguments:
        inner = argument.shape[1:] if argument.shape[:1] == (leading,) else argument.shape
        expressions = [*inner, argument.bound, argument.when]
        if any(leading in names_in(expression) for expression in expressions) or _mentions(argument.value, leading):
            return False
    return True


def smallest(contract: Contract, fixed: Mapping[str, Binding]) -> dict[str, Binding] | None:
    """All axes as small as the constraints let them be beside the fixed ones; None where no small choice will do."""
    options: list[list[Binding]] = []
    for axis in contract.axes:
        if axis.name in fixed:
            options.append([fixed[axis.name]])
        else:
            options.append(choices(axis) if axis.choices else [size for size in sizes(axis) if size] or [axis.low])
    # Enough to try a few sizes along each axis; a contract that needs more has no small case worth running.
    for bound in itertools.islice(itertools.product(*options), 5000):
        axes = dict(zip((axis.name for axis in contract.axes), bound, strict=True))
        if all(evaluate(constraint, axes) for constraint in contract.constraints):
            return axes
    return None
