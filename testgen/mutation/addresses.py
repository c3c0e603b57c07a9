"""Slips in where a program works: strides, axes, blocks, the type of an index, the order of a launch's arguments."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from kmaint.spans import calls, parameters, tl_name
from testgen.mutation.base import Operator, Planted, Scope

BLOCK = re.compile(r"block|tile|chunk", re.IGNORECASE)
STRIDE = re.compile(r"stride", re.IGNORECASE)
OTHER_AXIS = {0: 1, 1: 0, 2: 1, -1: 0, -2: -1}
REDUCTIONS = ("sum", "max", "min", "argmax", "argmin", "cumsum", "cumprod", "softmax", "sort", "flip", "expand_dims")
NARROWER = {"int64": "int32", "long": "int32", "int32": "int16"}


def take_wrong_strides(scope: Scope) -> Iterator[Planted]:
    """In a kernel another stride, or a row one longer; in a launcher the stride of another dimension."""
    if not scope.device:
        for call, dimension in _method_calls(scope, "stride"):
            new = str(OTHER_AXIS[_number(dimension)])
            yield scope.put(dimension, new, f"{scope.of(call)} is taken for that of dimension {new}")
        return
    given = parameters(scope.function)
    strides = [name for name in given if STRIDE.search(name)]
    for product in scope.all(ast.BinOp):
        if not isinstance(product.op, ast.Mult) or not scope.indexing(product):
            continue
        for factor in (product.left, product.right):
            if not isinstance(factor, ast.Name) or factor.id not in given or BLOCK.search(factor.id):
                continue
            if factor.id in strides and len(strides) > 1:
                text = strides[(strides.index(factor.id) + 1) % len(strides)]
                yield scope.put(factor, text, f"{text} stands for {factor.id}")
            else:
                yield scope.put(factor, f"({factor.id} + 1)", f"rows lie {factor.id} + 1 apart")


def take_wrong_axes(scope: Scope) -> Iterator[Planted]:
    """Another axis of a reduction, of the grid, of a shape; a column for a row."""
    if scope.device:
        yield from _wrong_axes_of_programs(scope)
        for call in calls(scope.function, *REDUCTIONS):
            places = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "axis")]
            for axis in filter(_is_axis, places):
                new = OTHER_AXIS[_number(axis)]
                yield scope.put(axis, str(new), f"{tl_name(call)} goes along axis {new}, not {scope.of(axis)}")
        for view in scope.all(ast.Subscript):
            text = ast.unparse(view.slice).strip("()")
            if text in (":, None", "None, :"):
                turned = "None, :" if text == ":, None" else ":, None"
                yield scope.put(view, f"{scope.of(view.value)}[{turned}]", f"[{turned}] stands for [{text}]")
        return
    for view in scope.all(ast.Subscript):
        if isinstance(view.value, ast.Attribute) and view.value.attr == "shape" and _is_axis(view.slice):
            new = OTHER_AXIS[_number(view.slice)]
            yield scope.put(view.slice, str(new), f"{scope.of(view)} is taken of dimension {new}")
    for call, dimension in _method_calls(scope, "size"):
        new = OTHER_AXIS[_number(dimension)]
        yield scope.put(dimension, str(new), f"{scope.of(call)} is taken of dimension {new}")


def _wrong_axes_of_programs(scope: Scope) -> Iterator[Planted]:
    found = list(calls(scope.function, "program_id", "num_programs"))
    axes = [call.args[0] if call.args else call.keywords[0].value for call in found if call.args or call.keywords]
    several = len({ast.unparse(axis) for axis in axes}) > 1
    for call, axis in zip(found, axes, strict=False):
        if several and _is_axis(axis):
            new = OTHER_AXIS[_number(axis)]
            yield scope.put(axis, str(new), f"{tl_name(call)} is that of axis {new}, not {scope.of(axis)}")


def shift_blocks(scope: Scope) -> Iterator[Planted]:
    """A block, a step of a loop or a program too far or too few; a division that forgets the part of a block."""
    for product in scope.all(ast.BinOp):
        match product:
            case ast.BinOp(op=ast.Mult(), left=ast.Name() as one, right=ast.Name() as two) if scope.device:
                number = one if BLOCK.search(two.id) else two if BLOCK.search(one.id) else None
                if number is not None and scope.indexing(product):
                    yield scope.put(number, f"({number.id} + 1)", f"{scope.of(product)} is one block too far")
            case ast.BinOp(op=ast.FloorDiv(), left=ast.BinOp(op=ast.Sub(), left=ast.BinOp(op=ast.Add()) as sum_)):
                text = f"({scope.of(sum_.left)}) // ({scope.of(product.right)})"
                yield scope.put(product, text, "a division forgets the part of a block")
            case _:
                continue
    for call in scope.all(ast.Call):
        name = ast.unparse(call.func).rpartition(".")[2]
        if name == "cdiv" and len(call.args) == 2:
            text = f"(({scope.of(call.args[0])}) // ({scope.of(call.args[1])}))"
            yield scope.put(call, text, "a division forgets the part of a block")
        elif name in ("range", "static_range") and scope.device and call.args:
            yield from _shorter_loops(scope, call)
    yield from _shorter_grids(scope)


def _shorter_loops(scope: Scope, call: ast.Call) -> Iterator[Planted]:
    step = scope.of(call.args[2]) if len(call.args) == 3 else "1"
    first, last = (call.args[0], call.args[1]) if len(call.args) > 1 else (None, call.args[0])
    yield scope.put(last, f"({scope.of(last)}) - ({step})", "a loop ends one step early")
    if first is not None:
        yield scope.put(first, f"({scope.of(first)}) + ({step})", "a loop begins one step late")


def _shorter_grids(scope: Scope) -> Iterator[Planted]:
    """Each dimension of a launch's grid that is not a number, one program less."""
    launched = [call.func.slice for call in scope.all(ast.Call) if isinstance(call.func, ast.Subscript)]
    named = {grid.id for grid in launched if isinstance(grid, ast.Name)}
    bound = [(target, node.value) for node in scope.all(ast.Assign) for target in node.targets]
    launched += [value for target, value in bound if isinstance(target, ast.Name) and target.id in named]
    for grid in launched:
        sizes = grid.body if isinstance(grid, ast.Lambda) else grid
        for size in sizes.elts if isinstance(sizes, ast.Tuple) else ():
            if not isinstance(size, ast.Constant):
                yield scope.put(size, f"({scope.of(size)}) - 1", f"the grid has one program less than {scope.of(size)}")


def narrow_indices(scope: Scope) -> Iterator[Planted]:
    """A type of half the width, and block offsets of eight bits."""
    for name in scope.all(ast.Attribute):
        owner = "tl" if scope.device else "torch"
        if isinstance(name.value, ast.Name) and name.value.id == owner and name.attr in NARROWER:
            new = NARROWER[name.attr]
            yield scope.put(name, f"{owner}.{new}", f"{new} stands for {name.attr}")
    if scope.device:
        for call in calls(scope.function, "arange"):
            yield scope.put(call, f"{scope.of(call)}.to(tl.int8)", "offsets in a block have eight bits")


def swap_arguments(scope: Scope) -> Iterator[Planted]:
    """Neighbouring arguments of a launch, in each other's place."""
    for call in scope.all(ast.Call):
        if not isinstance(call.func, ast.Subscript):
            continue
        given = [*call.args, *(word.value for word in call.keywords if word.arg not in (None, "num_warps"))]
        for first, second in itertools.pairwise(given):
            one, two = scope.of(first), scope.of(second)
            if one != two and not isinstance(first, ast.Constant) and not isinstance(second, ast.Constant):
                yield scope.swap(first, second, f"{one} and {two} change places")


def _method_calls(scope: Scope, name: str) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Calls of a method with one number, and that number."""
    for call in scope.all(ast.Call):
        match call:
            case ast.Call(func=ast.Attribute(attr=attr), args=[dimension]) if attr == name and _is_axis(dimension):
                yield call, dimension
            case _:
                continue


def _is_axis(node: ast.expr) -> bool:
    return _number(node) in OTHER_AXIS


def _number(node: ast.expr) -> int:
    """The number that an expression is; one that is no axis where it is none."""
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
        case _:
            return 99


OPERATORS = (
    Operator(
        name="wrong_stride",
        why="The stride of another dimension is taken, or rows are thought to lie closer or further apart.",
        where="kernel",
        before="v = tl.load(x + row * stride_x + col * stride_y)\nw = v * n\nu = tl.load(x + row * n)\n",
        after=(
            "v = tl.load(x + row * stride_y + col * stride_y)\nw = v * n\nu = tl.load(x + row * n)\n",
            "v = tl.load(x + row * stride_x + col * stride_x)\nw = v * n\nu = tl.load(x + row * n)\n",
            "v = tl.load(x + row * stride_x + col * stride_y)\nw = v * n\nu = tl.load(x + row * (n + 1))\n",
        ),
        plant=take_wrong_strides,
    ),
    Operator(
        name="wrong_axis",
        why="A reduction, a program's number or a size is taken along another axis.",
        where="host",
        before="rows = x.shape[0]\ncolumns = x.size(-1)\n",
        after=("rows = x.shape[1]\ncolumns = x.size(-1)\n", "rows = x.shape[0]\ncolumns = x.size(0)\n"),
        plant=take_wrong_axes,
    ),
    Operator(
        name="off_by_one_block",
        why="A loop, a grid or a block's start is one block off, mostly where the last block is not full.",
        where="host",
        before="grid = (triton.cdiv(n, 64), 1)\nkernel[grid](x)\n",
        after=(
            "grid = (((n) // (64)), 1)\nkernel[grid](x)\n",
            "grid = ((triton.cdiv(n, 64)) - 1, 1)\nkernel[grid](x)\n",
        ),
        plant=shift_blocks,
    ),
    Operator(
        name="index_dtype",
        why="An index is held in a type too narrow for the largest tensor.",
        where="kernel",
        before="slot = tl.load(x).to(tl.int64)\ni = tl.arange(0, B)\n",
        after=(
            "slot = tl.load(x).to(tl.int32)\ni = tl.arange(0, B)\n",
            "slot = tl.load(x).to(tl.int64)\ni = tl.arange(0, B).to(tl.int8)\n",
        ),
        plant=narrow_indices,
    ),
    Operator(
        name="swapped_argument",
        why="Two arguments of a launch that are alike change places.",
        where="host",
        before="kernel[grid](x, x.stride(0), 1)\n",
        after=("kernel[grid]((x.stride(0)), (x), 1)\n",),
        plant=swap_arguments,
    ),
)
