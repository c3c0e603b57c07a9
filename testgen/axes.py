"""What a contract's axes mean for a test: what to draw for each, which one counts rows, what keeps a case small."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from kmaint.expression import keeps
from kmaint.expression import names_in as mentioned
from kmaint.records.workload import Argument, Axis, Binding, Contract

PRIMES = (3, 7, 13, 31, 61, 127, 251, 509, 1021)
"""Sizes that no block divides."""

FLOATS = ("float32", "bfloat16", "float16")
"""Types of number that a kernel computes with, the most exact first."""

SMALL = 257
"""The most that the interpreter is given along an axis that does not count rows: two blocks of 128 and one more."""

ROWS = 48
"""The most rows that it is given again and again: a program takes it 1 to 3 ms, and a row is about one program."""

PROFILES = (
    "normal",
    "small",
    "large",
    "subnormal",
    "zeros",
    "constant",
    "outlier",
    "infinite",
    "nan",
    "integers",
    "ties",
    "first_row",
    "scales",
    "largest",
    "square",
    "ragged",
)
"""As runtime/contents.py of a harness knows them."""

WIDELY = (0, 1, 2, 7, 33, 16, 64, 129, 8, 127, 257)
"""Sizes tried of an axis whose own were guessed, those first that tell most."""

MOST_TRIED = 1100

MOST_DRAWN = 33
"""The largest of them that is drawn again and again, and not tried once only."""


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


def values(axis: Axis, more: Iterable[Binding] = (), near: Iterable[int] = ()) -> list[Binding]:
    """Everything that an axis is most worth trying at, the smallest first."""
    if axis.choices:
        return choices(replace(axis, choices=tuple(dict.fromkeys([*axis.choices, *more]))))
    found = sizes(replace(axis, edges=tuple(sorted({*axis.edges, *(e for e in near if axis.low <= e <= axis.high)}))))
    return sorted({*found, *(size for size in more if isinstance(size, int))})


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
    if not most:
        return "1"
    if all(size.isidentifier() for size in most):
        product = " * ".join(f'axes["{size}"]' for size in most)
        return f"max(1, {product})"
    return f'max(1, int(evaluate("{" * ".join(f"({size})" for size in most)}", axes)))'


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
        if keeps(contract.constraints, axes):
            return axes
    return None


def long_cases(contract: Contract) -> dict[str, list[dict[str, Binding]]]:
    """By axis that is cut for the interpreter, cases as its workloads and its range have it and all others as small as
    they may be: the longest, and on the way there each twice as long as the one before, or more."""
    found = {}
    for axis in cut_axes(contract):
        least = ROWS if axis.name == leading_axis(contract) else SMALL
        asked = [least // 2, least]
        longer = sorted(size for size in {axis.high, *_timed(contract, axis)} if size > least)
        for size in longer:
            if size == longer[-1] or 2 * asked[-1] <= size <= longer[-1] / 2:
                asked.append(size)
        cases = [case for size in asked if (case := smallest(contract, {axis.name: size})) is not None]
        if len(cases) > 2:
            found[axis.name] = cases
    return found


def cut_axes(contract: Contract) -> list[Axis]:
    """The axes along which a size may be more than the interpreter is given again and again."""
    leading, ranges = leading_axis(contract), [axis for axis in contract.axes if not axis.choices]
    return [axis for axis in ranges if axis.name == leading or max([axis.high, *_timed(contract, axis)]) > SMALL]


def _timed(contract: Contract, axis: Axis) -> list[int]:
    return [size for workload in contract.workloads if isinstance(size := workload.axes[axis.name], int)]


def ordinary(contract: Contract) -> dict[str, Binding] | None:
    """A small case on which much shows: no size of 1 or a power of two where the constraints let it be, and the
    numbers as exact as they come."""
    options = [sorted(_small(axis), key=_tells_little) for axis in contract.axes]
    for bound in itertools.islice(itertools.product(*options), 5000):
        axes = dict(zip((axis.name for axis in contract.axes), bound, strict=True))
        if keeps(contract.constraints, axes):
            return axes
    return None


def _small(axis: Axis) -> list[Binding]:
    """Sizes to choose a small case from, and no flag or name is smaller than another."""
    if axis.choices:
        return choices(axis)
    return [size for size in sorted({3, 5, 6, 8, 12, 16, 48, 64, *sizes(axis)}) if axis.low <= size <= axis.high]


def _tells_little(size: Binding) -> tuple[bool, bool]:
    """Sorts what a small case should rather not have behind the rest."""
    if type(size) is not int:
        return isinstance(size, str) and size in FLOATS[1:], False
    return size < 3, size & (size - 1) == 0


def broken(contract: Contract) -> list[dict[str, Binding]]:
    """For each constraint a case like the ordinary one that breaks it and no other, one axis changed."""
    base = ordinary(contract)
    found: list[dict[str, Binding]] = []
    if base is None:
        return found
    for constraint in contract.constraints:
        others = [one for one in contract.constraints if one != constraint]
        for axis in (axis for axis in contract.axes if axis.name in names_in(constraint)):
            options = (*WIDELY, 3, 5) if type(base[axis.name]) is int else ()
            tried = ({**base, axis.name: size} for size in options if axis.choices or size >= axis.low)
            bent = next((c for c in tried if not keeps([constraint], c) and keeps(others, c)), None)
            if bent is not None:
                found.append(bent)
                break
    return found


def beyond(contract: Contract, near: Iterable[int]) -> dict[str, list[Binding]]:
    """Values of each axis that the contract does not name and that are worth trying, those first that tell most.

    None where somebody has worked the contract out, or has listed what callers use: that is all they use.
    """
    found: dict[str, list[Binding]] = {}
    around = [edge + step for edge in near for step in (1, -1, 0)]
    for axis in contract.axes if not contract.flops else ():
        known = set(choices(axis)) if axis.choices else set(sizes(axis))
        if all(type(one) is int for one in axis.choices) and len(axis.choices) <= 2:
            wanted = [size for size in dict.fromkeys([*WIDELY, *around]) if size not in known and size <= MOST_TRIED]
            found[axis.name] = [*wanted[:16]]
        elif axis.name in float_axes(contract):
            found[axis.name] = [dtype for dtype in FLOATS if dtype not in known]
    return found


def float_axes(contract: Contract) -> list[str]:
    """The axes that choose among types of number."""
    return [axis.name for axis in contract.axes if axis.choices and set(axis.choices) <= set(FLOATS)]
