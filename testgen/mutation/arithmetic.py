"""Slips in what is computed: operands, factors, casts, precision, constants, conditions."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from kmaint.spans import calls, tl_name
from testgen.mutation.base import Operator, Planted, Scope

NOT_COMMUTATIVE = {ast.Sub: "-", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"}
OTHER_FUNCTION = {
    "maximum": "minimum",
    "minimum": "maximum",
    "max": "min",
    "min": "max",
    "exp": "exp2",
    "exp2": "exp",
    "log": "log2",
    "log2": "log",
}
SMALL = 0.01
"""A constant below it that is added is there to keep something from being zero."""


def swap_operands(scope: Scope) -> Iterator[Planted]:
    """Operands of what is not commutative, and the two sides of a choice."""
    for node in scope.all(ast.BinOp):
        if type(node.op) in NOT_COMMUTATIVE and not (isinstance(node.op, ast.Mod) and _is_text(node.left)):
            yield scope.swap(node.left, node.right, f"the operands of {NOT_COMMUTATIVE[type(node.op)]} change places")
    for call in calls(scope.function, "where"):
        if len(call.args) == 3:
            yield scope.swap(call.args[1], call.args[2], "the two sides of a where change places")
    for choice in scope.all(ast.IfExp):
        yield scope.swap(choice.body, choice.orelse, "the two sides of a choice change places")


def lose_scales(scope: Scope) -> Iterator[Planted]:
    """A factor or divisor of what is computed, left out."""
    if not scope.device:
        return
    for node in scope.all(ast.BinOp):
        if isinstance(node.op, ast.Mult | ast.Div) and not scope.indexing(node):
            lost = scope.of(node.right)
            yield scope.put(node, f"({scope.of(node.left)})", f"the {_role(node.op)} {lost} is left out")
    for statement in scope.all(ast.AugAssign):
        if isinstance(statement.op, ast.Mult | ast.Div) and not scope.indexing(statement.value):
            yield scope.put(statement, "pass", f"the {_role(statement.op)} {scope.of(statement.value)} is left out")


def _role(operator: ast.operator) -> str:
    return "factor" if isinstance(operator, ast.Mult) else "divisor"


def leave_casts_out(scope: Scope) -> Iterator[Planted]:
    """A conversion left out; that of an index to 64 bits is another operator's."""
    for call in scope.all(ast.Call):
        match call:
            case ast.Call(func=ast.Attribute(value=value, attr="to"), args=[kind, *_]) if scope.device:
                if not ast.unparse(kind).endswith("int64"):
                    yield scope.put(call, f"({scope.of(value)})", f"the cast to {scope.of(kind)} is left out")
            case ast.Call(func=ast.Attribute(value=value, attr="contiguous"), args=[]):
                yield scope.put(call, f"({scope.of(value)})", "a tensor is not made contiguous")
            case _:
                continue


def narrow_accumulators(scope: Scope) -> Iterator[Planted]:
    """float16 wherever float32 was asked for."""
    owner = "tl" if scope.device else "torch"
    for name in scope.all(ast.Attribute):
        if isinstance(name.value, ast.Name) and name.value.id == owner and name.attr == "float32":
            yield scope.put(name, f"{owner}.float16", "float16 stands for float32")


def move_epsilons(scope: Scope) -> Iterator[Planted]:
    """Added outside what it was added inside of, and left out."""
    if not scope.device:
        return
    for node in scope.all(ast.BinOp):
        if not isinstance(node.op, ast.Add) or not (_epsilon(node.left) or _epsilon(node.right)):
            continue
        epsilon, rest = (node.right, node.left) if _epsilon(node.right) else (node.left, node.right)
        small, kept = scope.of(epsilon), scope.of(rest)
        yield scope.put(node, f"({kept})", f"{small} is left out")
        for outer in scope.all(ast.Call):
            if outer.args[:1] == [node]:
                text = f"({scope.of(outer.func)}({kept}) + {small})"
                yield scope.put(outer, text, f"{small} is added outside {scope.of(outer.func)}")
        if isinstance(rest, ast.BinOp) and isinstance(rest.op, ast.Div):
            text = f"(({scope.of(rest.left)} + {small}) / {scope.of(rest.right)})"
            yield scope.put(node, text, f"{small} is added before the division")
    for call in calls(scope.function, "maximum"):
        if len(call.args) == 2 and _epsilon(call.args[1]):
            yield scope.put(call, f"({scope.of(call.args[0])})", f"{scope.of(call.args[1])} is no lower bound")


def _epsilon(node: ast.expr) -> bool:
    match node:
        case ast.Name(id=name):
            return "eps" in name.lower()
        case ast.Constant(value=float(value)):
            return 0 < value < SMALL
        case _:
            return False


def take_other_functions(scope: Scope) -> Iterator[Planted]:
    """The smaller for the larger, the power of two for that of e."""
    for call in calls(scope.function, *OTHER_FUNCTION):
        new = OTHER_FUNCTION[tl_name(call)]
        yield scope.put(call.func, f"tl.{new}", f"{new} stands for {tl_name(call)}")


def flip_signs(scope: Scope) -> Iterator[Planted]:
    """A sum for a difference and the other way round, in what is computed."""
    if not scope.device:
        return
    for node in scope.all(ast.BinOp):
        if isinstance(node.op, ast.Add | ast.Sub) and not scope.indexing(node):
            old, new = ("+", "-") if isinstance(node.op, ast.Add) else ("-", "+")
            text = f"({scope.of(node.left)}) {new} ({scope.of(node.right)})"
            yield scope.put(node, text, f"{new} stands for {old}")
    for sign in scope.all(ast.UnaryOp):
        if isinstance(sign.op, ast.USub) and not isinstance(sign.operand, ast.Constant) and not scope.indexing(sign):
            yield scope.put(sign, f"({scope.of(sign.operand)})", "a minus is left out")


def move_constants(scope: Scope) -> Iterator[Planted]:
    """A tenth more, or one more where it is a whole number."""
    if not scope.device:
        return
    for constant in scope.all(ast.Constant):
        value = constant.value
        if isinstance(value, float) and value and math.isfinite(value) and not scope.indexing(constant):
            text = repr(value + 1.0 if value.is_integer() else value * 1.1)
            yield scope.put(constant, text, f"{text} stands for {scope.of(constant)}")


def overwrite_accumulators(scope: Scope) -> Iterator[Planted]:
    """`=` where a sum was added to."""
    for statement in scope.all(ast.AugAssign):
        if isinstance(statement.op, ast.Add) and not scope.indexing(statement.value):
            text = f"{scope.of(statement.target)} = {scope.of(statement.value)}"
            yield scope.put(statement, text, f"{scope.of(statement.target)} is overwritten, not added to")


def turn_conditions(scope: Scope) -> Iterator[Planted]:
    """Each `if` the other way round."""
    for statement in scope.all(ast.If):
        yield scope.put(statement.test, f"not ({scope.of(statement.test)})", "a condition is turned round")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


OPERATORS = (
    Operator(
        name="swapped_operand",
        why="Two operands, or the two sides of a choice, change places.",
        where="kernel",
        before="a = (x + 1) - y\nb = tl.where(a > 0, a, y)\n",
        after=("a = ((y)) - (x + 1)\nb = tl.where(a > 0, a, y)\n", "a = (x + 1) - y\nb = tl.where(a > 0, (y), (a))\n"),
        plant=swap_operands,
    ),
    Operator(
        name="lost_scale",
        why="A scale is not applied, or a mean not divided by its count.",
        where="kernel",
        before="v = tl.load(x + row * n) * scale\nv /= n\n",
        after=("v = (tl.load(x + row * n))\nv /= n\n", "v = tl.load(x + row * n) * scale\npass\n"),
        plant=lose_scales,
    ),
    Operator(
        name="missing_cast",
        why="A value keeps the type it came in.",
        where="kernel",
        before="v = tl.load(x).to(tl.float32)\ni = tl.load(y).to(tl.int64)\n",
        after=("v = (tl.load(x))\ni = tl.load(y).to(tl.int64)\n",),
        plant=leave_casts_out,
    ),
    Operator(
        name="narrow_accumulator",
        why="What is summed up is held in half the bits.",
        where="kernel",
        before="acc = tl.zeros((B,), dtype=tl.float32)\n",
        after=("acc = tl.zeros((B,), dtype=tl.float16)\n",),
        plant=narrow_accumulators,
    ),
    Operator(
        name="eps_moved",
        why="What keeps a divisor from being zero is added in another place, or nowhere.",
        where="kernel",
        before="r = tl.rsqrt(v / n + eps)\n",
        after=("r = tl.rsqrt((v / n))\n", "r = (tl.rsqrt(v / n) + eps)\n", "r = tl.rsqrt(((v + eps) / n))\n"),
        plant=move_epsilons,
    ),
    Operator(
        name="other_function",
        why="A function's twin is called: the smaller for the larger, base 2 for base e.",
        where="kernel",
        before="m = tl.maximum(a, tl.exp(b))\n",
        after=("m = tl.minimum(a, tl.exp(b))\n", "m = tl.maximum(a, tl.exp2(b))\n"),
        plant=take_other_functions,
    ),
    Operator(
        name="flipped_sign",
        why="A term has the other sign.",
        where="kernel",
        before="a = x + y\nb = -a\n",
        after=("a = (x) - (y)\nb = -a\n", "a = x + y\nb = (a)\n"),
        plant=flip_signs,
    ),
    Operator(
        name="moved_constant",
        why="A number was copied wrong.",
        where="kernel",
        before="a = x * 127.0 + 0.5\n",
        after=("a = x * 128.0 + 0.5\n", "a = x * 127.0 + 0.55\n"),
        plant=move_constants,
    ),
    Operator(
        name="lost_accumulation",
        why="A sum over a loop keeps its last part only.",
        where="kernel",
        before="acc += v\n",
        after=("acc = v\n",),
        plant=overwrite_accumulators,
    ),
    Operator(
        name="turned_condition",
        why="A flag is read the wrong way round.",
        where="kernel",
        before="if HAS_BIAS:\n    v = v + 1\n",
        after=("if not (HAS_BIAS):\n    v = v + 1\n",),
        plant=turn_conditions,
    ),
)
