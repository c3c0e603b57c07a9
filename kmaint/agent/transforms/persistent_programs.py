"""Persistent programs: as many as the device runs at a time, each of which takes one row after the other."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Sequence

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.dependence import ATOMICS, depends_on_program, is_pure, kept_apart, roots
from kmaint.agent.transforms.launches import Launch, launches, resolve_grid
from kmaint.agent.transforms.source import edited, kernel_parts
from kmaint.spans import Function, Replacement, Source, argument, assigned, calls, names, parameters, tl_name

COUNT, TURN = "num_turns", "turn"
PROGRAMS = (1056, 2112, 528, 264)
"""8, 16, 4 and 2 on each of the 132 multiprocessors of an H100 or H200."""


def apply(subject: Subject) -> list[Edited]:
    """One variant for each number of programs; what no row decides is computed once, in front of the loop."""
    source, kernel = kernel_parts(subject)
    found = launches(source, subject)
    _refuse(source, kernel)
    default = " = None" if kernel.args.defaults else ""
    fixed = [source.add_parameter(kernel, f"{COUNT}{default}"), *_looped(source, kernel, found)]
    return [
        edited(
            source,
            [*fixed, *(edit for launch in found for edit in _fewer(source, launch, programs))],
            f"at most {programs} programs, each taking every so many-th row",
        )
        for programs in PROGRAMS
    ]


def _refuse(source: Source, kernel: Function) -> None:
    axes = [argument(call, 0, "axis") for call in calls(kernel, "program_id")]
    if not axes or any(not (isinstance(axis, ast.Constant) and axis.value == 0) for axis in axes):
        raise NotApplicable("the kernel does not use exactly program axis 0")
    if any(calls(kernel, "num_programs")):
        raise NotApplicable("the kernel asks how many programs there are")
    if any(isinstance(node, ast.Return) for node in ast.walk(kernel)):
        raise NotApplicable("a program may return early, and a loop in Triton may not")
    helpers = [source.functions[name] for name in names(kernel) & set(source.functions)]
    if any(any(calls(helper, "program_id", "num_programs")) for helper in helpers):
        raise NotApplicable("a helper asks for a program axis itself")
    if {COUNT, TURN} & names(source.tree) or kernel.args.vararg or kernel.args.kwarg or kernel.decorator_list[1:]:
        raise NotApplicable("the kernel's parameters cannot be added to")
    if any(isinstance(node, ast.Constant) and "\n" in str(node.value) for node in _code(kernel)):
        raise NotApplicable("the kernel holds a text of several lines, which would be indented with it")


def _code(kernel: Function) -> Iterator[ast.AST]:
    """Everything below the docstring."""
    for statement in _body(kernel):
        yield from ast.walk(statement)


def _body(kernel: Function) -> list[ast.stmt]:
    first = kernel.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return kernel.body[1:] if documented else kernel.body


def _looped(source: Source, kernel: Function, found: Sequence[Launch]) -> list[Replacement]:
    """The body in two parts: statements that no row decides, then the loop over rows with all others."""
    body = _body(kernel)
    ahead = _invariant(kernel, found)
    rows = [statement for statement in body if statement not in ahead]
    inner = "".join(_turned(source, kernel, statement) for statement in _spans(source, body, rows))
    loop = f"for {TURN} in range(tl.program_id(0), {COUNT}, tl.num_programs(0)):\n{textwrap.indent(inner, '    ')}"
    outer = "".join(text for _, _, text in _spans(source, body, ahead))
    margin = " " * body[0].col_offset
    start, end = _lines(source, body[0])[0], _lines(source, body[-1])[1]
    return [Replacement(start, end, textwrap.indent(outer + loop, margin))]


def _lines(source: Source, statement: ast.stmt) -> tuple[int, int]:
    start, end = source.span(statement)
    return source.text.rindex("\n", 0, start) + 1, source.text.index("\n", end) + 1


def _spans(source: Source, body: Sequence[ast.stmt], chosen: Sequence[ast.stmt]) -> list[tuple[int, int, str]]:
    """Start, end and dedented text of statements, each with the comments and blank lines above it."""
    spans = []
    start = _lines(source, body[0])[0]
    for statement in body:
        end = _lines(source, statement)[1]
        if statement in chosen:
            spans.append((start, end, textwrap.dedent(source.text[start:end])))
        start = end
    return spans


def _turned(source: Source, kernel: Function, span: tuple[int, int, str]) -> str:
    """A piece of the body with the program's index and rebound parameters by their new names."""
    start, end, _ = span
    edits = [edit for edit in _renames(source, kernel) if start <= edit.start and edit.end <= end]
    text = source.text[start:end]
    for edit in sorted(edits, key=lambda edit: -edit.start):
        text = text[: edit.start - start] + edit.text + text[edit.end - start :]
    return textwrap.dedent(text)


def _renames(source: Source, kernel: Function) -> list[Replacement]:
    edits = []
    casts = {found[1]: found[0] for node in ast.walk(kernel) if (found := _cast(node))}
    for call in calls(kernel, "program_id"):
        cast = casts.get(call)
        # Under the interpreter a loop's variable is a Python int, which has no `.to`.
        text = TURN if cast is None else f"tl.cast({TURN}, {source.of(cast.args[0])})"
        edits.append(source.replace(cast or call, text))
    return edits + [edit for name in _rebound(kernel) for edit in _renamed(source, kernel, name)]


def _cast(node: ast.AST) -> tuple[ast.Call, ast.Call] | None:
    """`tl.program_id(...).to(...)` and the call inside it."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Call() as inner, attr="to"), args=[_], keywords=[]):
            return (node, inner) if tl_name(inner) == "program_id" else None
        case _:
            return None


def _rebound(kernel: Function) -> list[str]:
    return [name for name in parameters(kernel) if name in assigned(kernel)]


def _renamed(source: Source, kernel: Function, name: str) -> list[Replacement]:
    """A parameter that the body moves to its row stays where it is; the moved one gets a name of its own."""
    stores = [node for node in _code(kernel) if isinstance(node, ast.Name) and node.id == name and _stores(node)]
    own = f"row_{name}"
    simple = [item for item in _body(kernel) if isinstance(item, ast.Assign | ast.AugAssign)]
    bindings = [item for item in simple if stores[0] in _targets(item)]
    if len(stores) != 1 or not bindings or own in names(kernel):
        raise NotApplicable(f"{name} is bound again more than once, or not by a statement of the kernel itself")
    (binding,) = bindings
    edits = []
    if isinstance(binding, ast.AugAssign):
        if not isinstance(binding.op, ast.Add):
            raise NotApplicable(f"{name} is bound again by another operator than +=")
        edits.append(source.replace(binding, f"{own} = {name} + {source.of(binding.value)}"))
    else:
        edits.append(source.replace(stores[0], own))
    later = [node for node in _code(kernel) if isinstance(node, ast.Name) and node.id == name and not _stores(node)]
    after = source.span(binding)[1]
    return edits + [source.replace(node, own) for node in later if source.span(node)[0] >= after]


def _stores(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _targets(statement: ast.Assign | ast.AugAssign) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


def _invariant(kernel: Function, found: Sequence[Launch]) -> list[ast.stmt]:
    """Statements that no row decides: pure, or loads of what the kernel never writes."""
    own = depends_on_program(kernel)
    stored = {name for call in calls(kernel, "store") for name in roots(kernel, call.args[0])}
    atomics = any(calls(kernel, *ATOMICS))
    late = own | set(_rebound(kernel))
    ahead: list[ast.stmt] = []
    for statement in _body(kernel):
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                loads = list(calls(value, "load"))
                apart = all(kept_apart(list(found), roots(kernel, call.args[0]), stored) for call in loads)
                free = not names(value) & late and "program_id" not in ast.unparse(value)
                once = sum(isinstance(n, ast.Name) and n.id == name and _stores(n) for n in ast.walk(kernel)) == 1
                if free and once and apart and not (loads and atomics) and _only_loads_and_pure(value):
                    ahead.append(statement)
                else:
                    late.add(name)
            case _:
                late |= assigned(statement)
    return ahead


def _only_loads_and_pure(value: ast.expr) -> bool:
    loads = list(calls(value, "load"))
    inside = {node for call in loads for node in ast.walk(call)}
    others = [node for node in ast.walk(value) if isinstance(node, ast.Call) and node not in inside]
    return all(is_pure(other) or any(load in ast.walk(other) for load in loads) for other in others) and all(
        is_pure(argument) for load in loads for argument in (*load.args, *(item.value for item in load.keywords))
    )


def _fewer(source: Source, launch: Launch, programs: int) -> list[Replacement]:
    grid = resolve_grid(launch)
    if grid is None or len(grid.elts) != 1:
        raise NotApplicable("the grid is not a tuple of one in the source")
    if isinstance(launch.grid, ast.Name | ast.Lambda):
        raise NotApplicable("the grid is not written at the launch")
    if any(isinstance(value, ast.Starred) for value in launch.call.args):
        raise NotApplicable("the launch unpacks its positional arguments")
    rows = source.of(grid.elts[0])
    return [
        source.replace(grid.elts[0], f"min({rows}, {programs})"),
        source.add_argument(launch.call, f"{COUNT}={rows}"),
    ]


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, scale_ptr, y_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    mask = offsets < columns
    x = tl.load(x_ptr + row * columns + offsets, mask=mask)
    scale = tl.load(scale_ptr + offsets, mask=mask)
    tl.store(y_ptr + row * columns + offsets, x * scale, mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    rows, columns = x.shape
    scale = torch.full((columns,), 2.0, device=x.device)
    kernel[(rows,)](x, scale, y, columns, BLOCK=triton.next_power_of_2(columns))
    return y
"""

AFTER = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, scale_ptr, y_ptr, columns, BLOCK: tl.constexpr, num_turns):
    offsets = tl.arange(0, BLOCK)
    mask = offsets < columns
    scale = tl.load(scale_ptr + offsets, mask=mask)
    for turn in range(tl.program_id(0), num_turns, tl.num_programs(0)):
        row = turn
        x = tl.load(x_ptr + row * columns + offsets, mask=mask)
        tl.store(y_ptr + row * columns + offsets, x * scale, mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    rows, columns = x.shape
    scale = torch.full((columns,), 2.0, device=x.device)
    kernel[(min(rows, 1056),)](
        x, scale, y, columns, BLOCK=triton.next_power_of_2(columns), num_turns=rows
    )
    return y
"""

PERSISTENT_PROGRAMS = Transform(
    name="persistent_programs",
    why="Weights and offsets that all rows share are then read once for many rows, and no wave of programs ends late.",
    precondition="The kernel uses program axis 0 alone, never returns early, and its launches write the grid in place.",
    addresses=("memory", "imbalance", "latency"),
    rounding=False,
    before=BEFORE,
    after=AFTER,
    apply=apply,
)
