"""A guess at a contract: what each argument may be, in terms of axes that are named after the launcher's own sizes."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from extract.deriving.classes import class_of
from extract.deriving.launchers.hints import Hints, Parameter
from kmaint.expression import evaluate
from kmaint.records.workload import Argument, Axis, Binding, Contract, Json

UNBOUND = "70001"
"""Elements of a tensor of which nothing is known yet: what is touched of it tells its size."""

SMALL: dict[str, tuple[tuple[int, int], ...]] = {
    "tokens": ((5, 7), (4, 9), (6, 10), (8, 3)),
    "heads": ((3, 2), (6, 4)),
    "head_dim": ((16, 32), (8, 24)),
    "topk": ((2, 3),),
    "experts": ((4, 8), (6, 9)),
    "group": ((16, 32),),
    "slots": ((23, 37), (41, 53)),
    "width": ((48, 80), (96, 112), (33, 65)),
}
POWERS: dict[str, tuple[tuple[int, int], ...]] = {
    **SMALL,
    "heads": ((2, 4), (8, 1)),
    "head_dim": ((64, 128), (32, 16)),
    "width": ((256, 512), (1024, 2048), (128, 64)),
}
LARGE: dict[str, tuple[tuple[int, int], ...]] = {
    **POWERS,
    "width": ((4096, 7168), (2048, 1024)),
    "head_dim": ((128, 128),),
}
LADDER = (SMALL, POWERS, LARGE)
"""Sizes that are tried, from the most telling to the most usual: many kernels want powers of two."""


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What is believed so far; `free` are the tensors whose shape no text gave, so that a trial may change it."""

    shapes: dict[str, tuple[str, ...]]
    dtypes: dict[str, str]
    values: dict[str, tuple[str, str]]
    """Kind of content and bound of each tensor."""
    scalars: dict[str, Json]
    order: tuple[str, ...]
    free: frozenset[str] = frozenset()
    rung: int = 0
    dtype: str = "float32"
    """What DT is while searching: the most exact, unless the launcher refuses it."""
    constraints: tuple[str, ...] = ()

    def but(self, **changes: object) -> Guess:
        return replace(self, **changes)  # type: ignore[arg-type]  # each caller names fields of its own type

    def axes(self) -> tuple[str, ...]:
        """Sizes that a caller chooses, in order of appearance."""
        texts = [size for name in self.order for size in self.shapes.get(name, ())]
        texts += [value[1:] for value in self.scalars.values() if isinstance(value, str) and value.startswith("=")]
        found = dict.fromkeys(name for text in texts for name in names_in(text))
        return tuple(found)

    def bindings(self, which: int) -> dict[str, Binding]:
        """The first or second small binding of all axes; within a class no two axes share a value."""
        taken: dict[str, int] = {}
        bound: dict[str, Binding] = {}
        for axis in self.axes():
            kind = class_of(axis)
            pool = LADDER[self.rung][kind]
            index = taken.get(kind, 0)
            taken[kind] = index + 1
            pair = pool[index] if index < len(pool) else tuple(3 * index + value for value in pool[-1])
            bound[axis] = pair[which]
        return bound

    def contract(self) -> Contract:
        """As a contract without workloads; the axis DT is there where a floating tensor is."""
        arguments = []
        for name in self.order:
            if name in self.shapes:
                kind, bound = self.values[name]
                arguments.append(
                    Argument(
                        name=name,
                        kind="tensor",
                        shape=self.shapes[name],
                        dtype=self.dtypes[name],
                        values=kind,
                        bound=bound,
                    )
                )
            else:
                arguments.append(Argument(name=name, kind="value", value=self.scalars[name]))
        axes = tuple(Axis(name=axis, low=1, high=1) for axis in self.axes())
        return Contract(axes=axes, arguments=tuple(arguments), constraints=self.constraints)


def names_in(expression: str) -> list[str]:
    """Names of axes in an expression, functions left out."""
    tree = ast.parse(expression, mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]


def evaluated(expression: str, axes: dict[str, Binding]) -> int:
    """A size over axes."""
    return int(evaluate(expression, axes))


@dataclass
class Sizes:
    """Turns the labels of hints into expressions over axes."""

    hints: Hints
    labels: set[str] = field(default_factory=set)

    def expression(self, text: str, fallback: str) -> str:
        """The size as an expression over axes; an axis of its own where the text says something else."""
        text = text.replace("triton.cdiv", "cdiv").replace("triton.next_power_of_2", "next_power_of_2")
        try:
            tree = ast.parse(text, mode="eval")
        except SyntaxError:
            return fallback
        parts = (ast.Expression, ast.BinOp, ast.operator, ast.Name, ast.Constant, ast.expr_context, ast.Call)
        if not text or not all(isinstance(node, parts) for node in ast.walk(tree)):
            return fallback
        return ast.unparse(_Resolve(self.hints, self.labels).visit(tree.body))


class _Resolve(ast.NodeTransformer):
    def __init__(self, hints: Hints, labels: set[str], depth: int = 0) -> None:
        self.hints, self.labels, self.depth = hints, labels, depth

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.args = [self.visit(argument) for argument in node.args]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        name = self.hints.aliases.get(node.id.lower(), node.id)
        lower = {known.lower(): value for known, value in self.hints.definitions.items()}
        if lower.get(name.lower()) and name.lower() not in self.labels and self.depth < 6:
            tree = ast.parse(lower[name.lower()], mode="eval").body
            simple = (ast.BinOp, ast.operator, ast.Name, ast.Constant, ast.expr_context)
            if all(isinstance(part, simple) for part in ast.walk(tree)):
                return _Resolve(self.hints, self.labels, self.depth + 1).visit(tree)  # type: ignore[no-any-return]
        return ast.copy_location(ast.Name(name.lower(), ast.Load()), node)


def first_guess(hints: Hints) -> Guess:
    """What the hints amount to; parameters that may be left out are."""
    given = {name: p for name, p in hints.parameters.items() if not p.default}
    direct = {size.lower() for p in given.values() for size in p.sizes.values() if size.isidentifier()}
    sizes = Sizes(hints, direct | {name.lower() for name, p in given.items() if not p.tensor})
    shapes = {name: _shape(p, hints, sizes) for name, p in given.items() if p.tensor}
    free = frozenset(name for name, shape in shapes.items() if shape == (UNBOUND,))
    known = {axis for shape in shapes.values() for size in shape for axis in names_in(size)}
    scalars = {name: _scalar(p, known) for name, p in given.items() if not p.tensor}
    contents = {name: _content(given[name]) for name in shapes}
    constraints = []
    for size, divisor in hints.divisors:
        left, right = sizes.expression(size, ""), sizes.expression(divisor, "")
        rounds_up = re.search(r"[-+] ?1\b|cdiv", left + right)  # (n + d - 1) // d takes any n
        if not left or not right or rounds_up:
            continue
        if names_in(left) and {*names_in(left), *names_in(right)} <= known | set(scalars):
            constraints.append(f"({left}) % ({right}) == 0")
    return Guess(
        shapes=shapes,
        dtypes={name: contents[name][0] for name in shapes},
        values={name: contents[name][1:] for name in shapes},
        scalars=scalars,
        order=tuple(given),
        free=free,
        constraints=tuple(dict.fromkeys(constraints)),
    )


def _shape(parameter: Parameter, hints: Hints, sizes: Sizes) -> tuple[str, ...]:
    source, seen = parameter, {parameter.name}
    while source.same_shape_as and source.same_shape_as not in seen:
        seen.add(source.same_shape_as)
        source = hints.parameters[source.same_shape_as]
    mentioned = source.sizes.keys()
    rank = source.rank or max([0, *(at + 1 for at in mentioned if at >= 0), *(-at for at in mentioned if at < 0)])
    if mentioned and not source.rank:
        rank = max(rank, 2 if any(at < 0 for at in mentioned) else 1)
    if not rank:
        return (UNBOUND,)
    shape = []
    for at in range(rank):
        fallback = f"{source.name}_{'last' if at == rank - 1 and rank > 1 else at}".lower()
        shape.append(sizes.expression(source.sizes.get(at) or source.sizes.get(at - rank) or "", fallback))
    return tuple(shape)


def _content(parameter: Parameter) -> tuple[str, str, str]:
    """Dtype (or the axis DT), kind of content and bound."""
    name, told = parameter.name.lower(), parameter.dtype
    if told and told not in ("bfloat16", "float16"):
        integral = "int" in told
        return told, "index" if integral else "normal", "1" if integral else ""
    if re.search(r"mask$|^is_", name):
        return "bool", "ones", ""
    if parameter.index or re.search(
        r"(_ids?|_idx|indices|index|_locs?|slot_mapping|positions?|_lens?|_map|mapping|indptr)$|^cu_", name
    ):
        return ("int32" if re.search(r"ids$|lens?$|^cu_", name) else "int64"), "index", "1"
    if re.search(r"scale", name):
        return "float32", "scale", ""
    if re.search(r"lse|logsumexp", name):
        return "float32", "log_sum_exp", ""
    return "DT", "output" if re.match(r"(out|output|o|dst)(_|$)", name) and parameter.stored else "normal", ""


def _scalar(parameter: Parameter, known: set[str]) -> Json:
    """A value for a parameter that is no tensor, by its name and annotation."""
    name, annotation = parameter.name.lower(), parameter.annotation
    if "bool" in annotation or re.match(r"(is|use|has|enable|with)_", name):
        return False
    if "dtype" in annotation or name.endswith("dtype"):
        return {"dtype": "DT"}
    if name in known or annotation == "int":
        return f"={name}"
    if re.search(r"eps", name):
        return 1e-6
    if "float" in annotation or re.search(r"scale|factor|alpha|beta|theta|limit|cap|temperature", name):
        return 0.5
    if re.search(r"size|dim|num|len|topk|count|^n|heads", name):
        return f"={name}"
    return None


def shapes_of(guess: Guess, name: str, wanted: tuple[int, ...]) -> Iterator[tuple[str, ...]]:
    """Shapes whose number of elements is as wanted on both sets of sizes, those of other tensors first."""
    sizes = [guess.bindings(which) for which in (0, 1)]

    def fits(expressions: tuple[str, ...]) -> bool:
        return all(_product(expressions, bound) == number for bound, number in zip(sizes, wanted, strict=True))

    rank = len(guess.shapes[name])
    fixed = name not in guess.free
    known = dict.fromkeys(shape for other, shape in guess.shapes.items() if other != name and shape != (UNBOUND,))
    for shape in known:
        if fits(shape) and (not fixed or len(shape) == rank):
            yield shape
    axes = guess.axes()
    terms = [
        *axes,
        *(f"2 * {axis}" for axis in axes),
        *(f"{axis} // 2" for axis in axes),
        "1",
        *(f"{axis} + 1" for axis in axes),
    ]
    for count in (1, 2, 3):
        if fixed and count != rank:
            continue
        for expressions in itertools.permutations(terms, count):
            if fits(expressions) and not (count > 1 and "1" in expressions):
                yield expressions


def _product(expressions: tuple[str, ...], axes: dict[str, Binding]) -> int:
    number = 1
    for expression in expressions:
        number *= int(evaluated(expression, axes))
    return number
