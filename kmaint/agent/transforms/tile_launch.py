"""The launcher's side of lifting a program axis to rows: a smaller grid, and the arguments that say how it was cut."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from kmaint.agent.transforms.base import NotApplicable
from kmaint.agent.transforms.launches import Launch, default_values, option_values, resolve_grid
from kmaint.agent.transforms.tile_edits import Edits
from kmaint.spans import Function, assigned, names, parameters


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How a launch is cut along an axis: what the launcher calls the row count, and the kernel's parameter for it."""

    axis: int
    count: str
    """The launcher's expression."""
    parameter: str
    passed: bool
    """Whether the kernel gets the count already."""
    rows: str


def plan_cut(kernel: Function, launch: Launch, axis: int, *, reads_count: str | None) -> Cut:
    """Raises NotApplicable where the axis does not count rows; `reads_count` names a variable that holds the count."""
    grid = resolve_grid(launch)
    if grid is None:
        raise NotApplicable("a grid that is no tuple, nor a variable or lambda that holds one")
    if axis >= len(grid.elts):
        raise NotApplicable(f"the grid has no axis {axis}")
    size = grid.elts[axis]
    count = ast.unparse(size)
    if "cdiv" in count or (isinstance(size, ast.BinOp) and isinstance(size.op, ast.FloorDiv)):
        raise NotApplicable(f"axis {axis} counts blocks, not rows: {count}")
    if isinstance(size, ast.Constant):
        raise NotApplicable(f"axis {axis} has a fixed size")
    bound = _bound_names(launch)
    if names(size) & bound:
        raise NotApplicable(f"axis {axis} depends on the kernel's meta-parameters: {count}")
    rows = "ROWS_PER_PROGRAM"
    taken = {*parameters(kernel), *assigned(kernel), *names(kernel)}
    if rows in taken:
        raise NotApplicable("it takes several rows a program already")
    for name, value in launch.arguments.items():
        if ast.unparse(value) == count and name not in assigned(kernel):
            return Cut(axis=axis, count=count, parameter=name, passed=True, rows=rows)
    return Cut(axis=axis, count=count, parameter=reads_count or _name(size, taken), passed=False, rows=rows)


def edit_launch(edits: Edits, kernel: Function, launch: Launch, cut: Cut, rows: str) -> None:
    """Divide the grid and pass the new arguments, by position where the launch passes everything so."""
    grid = resolve_grid(launch)
    assert grid is not None
    lambdas = _meta(launch)
    local = "rows_per_program"
    if local in names(launch.host):
        raise NotApplicable("the launcher takes several rows a program already")
    size = grid.elts[cut.axis]
    divisor = f'{lambdas}["{cut.rows}"]' if lambdas else local
    if isinstance(launch.grid, ast.Name) and _grid_uses(launch) > 1:
        raise NotApplicable("a grid that several launches share")
    edits.replace(size, f"triton.cdiv({edits.source.of(size)}, {divisor})")
    if not lambdas:
        statement = _statement(launch.host, grid)
        at, _ = edits.lines_of(statement)
        edits.insert(at, f"{' ' * statement.col_offset}{local} = {rows}\n")
    value = rows if lambdas else local
    added = [] if cut.passed else [(cut.parameter, cut.count)]
    _pass(edits, kernel, launch, [*added, (cut.rows, value)])


def edit_parameters(edits: Edits, kernel: Function, cut: Cut) -> None:
    """New parameters: behind the others, but ahead of those with defaults."""
    given = [] if cut.passed else [cut.parameter]
    added = [*given, f"{cut.rows}: tl.constexpr"]
    arguments = kernel.args
    if arguments.vararg or arguments.kwonlyargs or arguments.kwarg:
        raise NotApplicable("a kernel with keyword-only or unpacked parameters")
    if arguments.defaults:
        first = arguments.args[len(arguments.args) - len(arguments.defaults)]
        at, _ = edits.source.span(first)
        edits.insert(at, "".join(f"{item}, " for item in added))
    else:
        replacement = edits.source.add_parameter(kernel, ", ".join(added))
        edits.insert(replacement.start, replacement.text)


def edit_warps(edits: Edits, launch: Launch, warps: str) -> None:
    """Give the launch a number of warps; raises NotApplicable where it is set out of reach."""
    for keyword in launch.call.keywords:
        if keyword.arg == "num_warps":
            edits.replace(keyword.value, warps)
            return
    found = [value for options in launch.options for value in option_values(launch.host, options, "num_warps")]
    if len(found) == 1:
        edits.replace(found[0], warps)
    elif launch.options:
        raise NotApplicable("num_warps is unpacked from somewhere else")
    else:
        replacement = edits.source.add_argument(launch.call, f"num_warps={warps}")
        edits.insert(replacement.start, replacement.text)


def _pass(edits: Edits, kernel: Function, launch: Launch, added: list[tuple[str, str]]) -> None:
    call = launch.call
    required = len(kernel.args.args) - len(kernel.args.defaults)
    if any(isinstance(value, ast.Starred) for value in call.args):
        raise NotApplicable("a launch that unpacks its positional arguments")
    if len(call.args) > required:
        at = edits.source.span(call.args[required])[0]
        edits.insert(at, "".join(f"{value}, " for _, value in added))
        return
    by_position = not any(keyword.arg in parameters(kernel) for keyword in call.keywords) and not launch.options
    if by_position and len(call.args) == required and call.keywords:
        at = edits.source.span(call.keywords[0].value)[0] - len(f"{call.keywords[0].arg}=")
        edits.insert(at, "".join(f"{value}, " for _, value in added))
        return
    by_position = by_position and len(call.args) == required
    text = ", ".join(value if by_position else f"{name}={value}" for name, value in added)
    replacement = edits.source.add_argument(call, text)
    edits.insert(replacement.start, replacement.text)


def _name(size: ast.expr, taken: set[str]) -> str:
    """The launcher's own name for the count where it has one that the kernel does not use."""
    own = [size.id] if isinstance(size, ast.Name) else []
    return next(name for name in (*own, "num_rows", "row_count", "rows_in_all") if name not in taken)


def _meta(launch: Launch) -> str:
    """The name of the lambda's parameter where the grid is one."""
    grid = launch.grid
    if isinstance(grid, ast.Name):
        grid = default_values(launch.host, grid.id)[0]
    return grid.args.args[0].arg if isinstance(grid, ast.Lambda) and grid.args.args else ""


def _bound_names(launch: Launch) -> set[str]:
    meta = _meta(launch)
    return {meta} if meta else set()


def _grid_uses(launch: Launch) -> int:
    assert isinstance(launch.grid, ast.Name)
    return sum(
        isinstance(node, ast.Name) and node.id == launch.grid.id and isinstance(node.ctx, ast.Load)
        for node in ast.walk(launch.host)
    )


def _statement(host: Function, inner: ast.AST) -> ast.stmt:
    """The innermost statement around a node."""
    around = [node for node in ast.walk(host) if isinstance(node, ast.stmt) and any(n is inner for n in ast.walk(node))]
    return around[-1]
