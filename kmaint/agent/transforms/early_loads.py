"""Loads asked for before the program first waits, not after: their latencies then pass at the same time."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.dependence import ATOMICS, calls_unknown, is_pure, kept_apart, roots
from kmaint.agent.transforms.launches import Launch, launches
from kmaint.agent.transforms.source import blocks, edited, kernel_parts, without
from kmaint.spans import Function, Replacement, Source, assigned, calls, names

BARRIERS = ("sum", "max", "min", "argmax", "argmin", "reduce", "associative_scan", "cumsum", "dot", "sort")
"""What makes the threads of a program wait for one another: no compiler moves a load across."""


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A load with what only it needs, and the statement of the same block that it goes behind; None: to the top."""

    chain: list[ast.stmt]
    behind: ast.stmt | None
    first: ast.stmt
    """The block's."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What decides whether a load may pass a statement: the kernel, its launches, the functions of the file."""

    kernel: Function
    launches: list[Launch]
    functions: Mapping[str, Function]


def apply(subject: Subject) -> list[Edited]:
    """All loads that can move, in one variant; where there are several, each block by itself as well."""
    source, kernel = kernel_parts(subject)
    place = Place(kernel=kernel, launches=launches(source, subject), functions=source.functions)
    found = [moved for block in blocks(kernel) if (moved := _moved(place, block))]
    if not found:
        raise NotApplicable("no load stands behind a store or a reduction that it does not depend on")
    choices = [[one for moved in found for one in moved], *(found if len(found) > 1 else [])]
    return [edited(source, _edits(source, choice), _note(choice)) for choice in choices]


def _moved(place: Place, block: Sequence[ast.stmt]) -> list[Moved]:
    """Every load of the block that passes a store or a reduction on its way to where the block first waits."""
    taken: list[Moved] = []
    gone: dict[ast.stmt, int] = {}
    for at, statement in enumerate(block):
        match statement:
            case ast.Assign(targets=[ast.Name()], value=value) if any(calls(value, "load")):
                chain, start = _room(place, block, at, gone)
                passed = [number for number in range(start, at) if block[number] not in (*chain, *gone)]
                waits = next((number for number in passed if _waits(block[number], block[:at])), at)
                if any(_fences(block[number]) for number in passed if number >= waits):
                    above = [item for item in chain if block.index(item) > waits]
                    behind = block[waits - 1] if waits else None
                    taken.append(Moved(chain=above, behind=behind, first=block[0]))
                    gone |= dict.fromkeys(above, waits)
            case _:
                continue
    return taken


def _room(place: Place, block: Sequence[ast.stmt], at: int, gone: Mapping[ast.stmt, int]) -> tuple[list[ast.stmt], int]:
    """The load with the pure assignments it needs, in order, and the first position that all of them can go to.

    `gone` says where statements of the block have been moved to already.
    """
    chain: list[ast.stmt] = [block[at]]
    lowest = 0
    for earlier in range(at - 1, -1, -1):
        statement = block[earlier]
        read = {name for item in chain for name in names(item)}
        if earlier < lowest:
            return chain, lowest
        if statement in gone:
            lowest = max(lowest, gone[statement]) if assigned(statement) & read else lowest
            continue
        if assigned(statement) & read:
            match statement:
                case ast.Assign(targets=[ast.Name()], value=value) if is_pure(value) and _bound_once(place, statement):
                    chain.insert(0, statement)
                    continue
                case _:
                    return chain, earlier + 1
        bound = {name for item in chain for name in assigned(item)}
        if names(statement) & bound or not _may_pass(place, block[at], statement):
            return chain, earlier + 1
    return chain, lowest


def _bound_once(place: Place, statement: ast.stmt) -> bool:
    bound = assigned(statement)
    stores = [node for node in ast.walk(place.kernel) if isinstance(node, ast.Name) and node.id in bound]
    return sum(isinstance(node.ctx, ast.Store) for node in stores) == 1


def _may_pass(place: Place, load: ast.stmt, statement: ast.stmt) -> bool:
    """Whether a load gives the same in front of a statement as behind it, and is made in the same cases."""
    if any(isinstance(node, ast.Return | ast.Break | ast.Continue | ast.While) for node in ast.walk(statement)):
        return False
    if any(calls(statement, *ATOMICS, "debug_barrier")) or calls_unknown(statement, place.functions):
        return False
    loaded = {name for call in calls(load, "load") for name in roots(place.kernel, call.args[0])}
    return all(
        bool(call.args) and kept_apart(place.launches, loaded, roots(place.kernel, call.args[0]))
        for call in calls(statement, "store")
    )


def _waits(statement: ast.stmt, before: Sequence[ast.stmt]) -> bool:
    """Whether a statement uses what was loaded above it, or makes the program's threads wait for one another."""
    loaded = {name for item in before if any(calls(item, "load")) for name in assigned(item)}
    return _fences(statement) or (bool(names(statement) & loaded) and not _only_loads(statement))


def _only_loads(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and any(calls(statement.value, "load"))


def _fences(statement: ast.stmt) -> bool:
    return any(calls(statement, "store", *BARRIERS))


def _edits(source: Source, moved: Sequence[Moved]) -> list[Replacement]:
    places: dict[ast.stmt | None, list[str]] = {}
    for one in moved:
        places.setdefault(one.behind, []).extend(source.of(statement) for statement in one.chain)
    tops = {one.behind: one.first for one in moved}
    edits = [
        source.before(tops[behind], lines) if behind is None else source.after(behind, lines)
        for behind, lines in places.items()
    ]
    return edits + [without(source, statement) for one in moved for statement in one.chain]


def _note(moved: Sequence[Moved]) -> str:
    bound = [name for one in moved for name in sorted(assigned(one.chain[-1]))]
    return f"asked for before the program first waits: {', '.join(dict.fromkeys(bound))}"


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, scale_ptr, y_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    mask = offsets < columns
    x = tl.load(x_ptr + row * columns + offsets, mask=mask, other=0.0)
    top = tl.max(tl.abs(x), axis=0)
    scale = tl.load(scale_ptr + offsets, mask=mask, other=0.0)
    tl.store(y_ptr + row * columns + offsets, x * scale + top, mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    rows, columns = x.shape
    scale = torch.full((columns,), 2.0, device=x.device)
    kernel[(rows,)](x, scale, y, columns, BLOCK=triton.next_power_of_2(columns))
    return y
"""
LINE = "    scale = tl.load(scale_ptr + offsets, mask=mask, other=0.0)\n"

EARLY_LOADS = Transform(
    name="early_loads",
    why="A load behind a reduction or a store is asked for only when that is done: two latencies in a row, not one.",
    precondition="A load stands behind a reduction, or a store through another parameter, that it does not depend on.",
    addresses=("latency", "memory"),
    rounding=False,
    before=BEFORE,
    after=BEFORE.replace(LINE, "").replace("    top = ", f"{LINE}    top = "),
    apply=apply,
)
