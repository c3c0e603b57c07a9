"""What a contract's axes mean for a test: what to draw for each, which one counts rows, what keeps a case small."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Iterable, Mapping

from kmaint.records.workload import Argument, Axis, Binding, Contract

PRIMES = (3, 7, 13, 31, 61, 127, 251, 509, 1021)
"""Sizes that no block divides."""

SMALL = 128
"""What the interpreter is given along an axis that does not count rows."""


def names_in(expression: object) -> set[str]:
    """The names that an expression of a contract mentions; empty for what is none."""
    if not isinstance(expression, str) or not expression:
        return set()
    return {node.id for node in ast.walk(ast.parse(expression.strip(), mode="eval")) if isinstance(node, ast.Name)}


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
    """What an axis is to the launcher's arguments, in words: `First of prefix_lse[T, H]`."""
    arguments = tuple(arguments)
    said: list[str] = []
    typed = [a.name for a in arguments if a.kind == "tensor" and a.dtype == axis.name]
    shaped = [f"{a.name}[{', '.join(a.shape)}]" for a in arguments if any(axis.name in names_in(d) for d in a.shape)]
    bounded = [a.name for a in arguments if axis.name in names_in(a.bound)]
    given = [a.name for a in arguments if a.when != "True" and axis.name in names_in(a.when)]
    passed = [a.name for a in arguments if a.kind == "value" and _mentions(a.value, axis.name)]
    for words, found in (
        ("the size in ", shaped),
        ("the dtype of ", typed),
        ("bounds the contents of ", bounded),
        ("decides whether there is ", given),
        ("passed as ", passed),
    ):
        if found:
            said.append(words + _listed(found))
    text = f"{axis.name} is {'; '.join(said) or 'known to the launcher only'}."
    edges = ", ".join(str(edge) for edge in axis.edges)
    return text + (f" The code's path changes around {edges}." if edges and not axis.choices else "")


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
    shown = names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
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


def evaluate(expression: str, axes: Mapping[str, Binding]) -> object:
    """The value of a contract's expression, as the harness's own runtime evaluates it."""
    names = {
        "min": min,
        "max": max,
        "sqrt": math.sqrt,
        "cdiv": lambda a, b: -(-a // b),
        "next_power_of_2": lambda n: 1 << max(0, int(n) - 1).bit_length(),
    }
    return eval(expression, {"__builtins__": {}}, {**names, **axes})  # noqa: S307 - the contract is kmaint's own


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
