"""Lifts a kernel's statements to rows: early returns become a mask, per-row branches become masked statements."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from kmaint.agent.transforms.base import NotApplicable
from kmaint.agent.transforms.tile_calls import Calls, program_axis
from kmaint.agent.transforms.tile_edits import INDENTATION, Edits
from kmaint.agent.transforms.tile_kinds import STATIC, UNIFORM, DeeperBlocks, Kind, join
from kmaint.agent.transforms.tile_starts import as_rows, carried, start_of
from kmaint.agent.transforms.tile_values import Axis
from kmaint.spans import Function, assigned, constexprs, parameters


@dataclass
class Path:
    """Where control stands: the condition's mask, and whether it hangs on something only known at run time."""

    mask: str
    conditional: bool = False
    looping: bool = False
    indent: int = 0
    """Columns that the lines lose because the `if` around them is gone."""

    @property
    def masked(self) -> bool:
        return self.indent > 0


def lift_kernel(edits: Edits, kernel: Function, axis: Axis) -> Axis:
    """Add the edits that make one program take `axis.rows` rows; gives the axis with the depth that the blocks need."""
    clean = dict(edits.spans)
    for _ in range(3):
        try:
            Lifting(edits, kernel, axis).run()
        except DeeperBlocks as deeper:
            if deeper.rank > 2:
                raise NotApplicable(f"blocks of {deeper.rank} dimensions") from deeper
            edits.spans = dict(clean)
            axis = replace(axis, depth=deeper.rank)
        else:
            return axis
    raise NotApplicable("blocks whose number of dimensions does not settle")


def axis_calls(function: Function, name: str, number: int) -> list[ast.Call]:
    """Calls of tl.program_id or tl.num_programs for an axis, in source order."""
    found = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"tl.{name}" and program_axis(node) == number
    ]
    return sorted(found, key=lambda call: (call.lineno, call.col_offset))


@dataclass
class Lifting:
    """One pass over one function; `helper` is set while it looks into a function that the kernel calls."""

    edits: Edits
    function: Function
    axis: Axis
    known: dict[str, Kind] = field(default_factory=dict)
    helper: bool = False
    returned: list[Kind] = field(default_factory=list)
    _starts: dict[tuple[int, int], str] = field(default_factory=dict)
    _defined: ast.stmt | None = None

    def __post_init__(self) -> None:
        static = constexprs(self.function)
        self.known = {name: STATIC if name in static else UNIFORM for name in parameters(self.function)} | self.known
        self.values = Calls(self.edits, self.axis, self.known)
        self.values.helper = self.look_into
        self.values.whole = _whole_numbers(self.function)

    def run(self) -> None:
        calls = axis_calls(self.function, "program_id", self.axis.number)
        if not calls:
            raise NotApplicable(f"tl.program_id({self.axis.number}) is not read")
        first = next(item for item in self.function.body if any(call in list(ast.walk(item)) for call in calls))
        self._define_rows(first, calls)
        self.block(self.function.body, Path(self.axis.mask))

    def look_into(self, function: Function, kinds: dict[str, Kind]) -> Kind:
        """The kind that a helper gives back; it may not need lifting itself."""
        before = dict(self.edits.spans)
        inner = Lifting(self.edits, function, self.axis, dict(kinds), helper=True)
        try:
            inner.block(function.body, Path(self.axis.mask))
        except NotApplicable:
            if any(kind.row is not False for kind in kinds.values()):
                raise
        lifted = self.edits.spans != before
        self.edits.spans = before
        if lifted:
            raise NotApplicable(f"{function.name}, which it calls, would have to be lifted too")
        kind = Kind(rank=None) if not inner.returned else inner.returned[0]
        for other in inner.returned[1:]:
            kind = join(kind, other)
        return kind

    def _define_rows(self, first: ast.stmt, calls: list[ast.Call]) -> None:
        """The row index in place of the program id: in the statement that reads it, or in one above it."""
        mask = f"{self.axis.mask} = {{}} < {self.axis.count}"
        match first:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if len(calls) == 1 and _reads(value, calls[0]):
                self.edits.replace(value, self._rows(self.edits.source.of(value)))
                end = self.edits.lines_of(first)[1]
                self.edits.insert(end, f"{' ' * first.col_offset}{mask.format(name)}\n")
                self.known[name] = Kind(row=True)
                self.values.whole.add(name)
                self._defined = first
            case _:
                index = f"{self.axis.index} = {self._rows(f'tl.program_id({self.axis.number})')}"
                margin = " " * first.col_offset
                text = f"{margin}{index}\n{margin}{mask.format(self.axis.index)}\n"
                self.edits.insert(self.edits.lines_of(first)[0], text)

    def _rows(self, program: str) -> str:
        rows = f"{program} * {self.axis.rows} + tl.arange(0, {self.axis.rows})"
        return f"({rows}){self.axis.subscript}" if self.axis.depth else rows

    def block(self, statements: Sequence[ast.stmt], path: Path) -> bool:
        """Lift statements in order; gives whether control goes on behind them."""
        return all(self.statement(statement, path) for statement in statements)

    def statement(self, node: ast.stmt, path: Path) -> bool:
        self.values.forget()
        self.values.mask = path.mask
        match node:
            case ast.Assign(targets=[target], value=value):
                self._assign(node, target, value, path)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(node, target, value, path)
            case ast.AugAssign():
                self._update(node, path)
            case ast.Expr(value=value):
                if not isinstance(value, ast.Constant):
                    self.values.kind(value)
            case ast.If():
                return self._branch(node, path)
            case ast.For():
                self._loop(node, path)
            case ast.While():
                self._repeat(node, path)
                self.values.forget()
                if self.values.kind(node.test).row is not False:
                    raise NotApplicable("a loop whose end differs between rows")
            case ast.Return():
                return self._return(node, path)
            case ast.Raise():
                return False
            case ast.Pass() | ast.Break() | ast.Continue() | ast.Assert():
                if path.masked and not isinstance(node, ast.Pass):
                    raise NotApplicable("leaves a loop under a per-row condition")
            case _:
                raise NotApplicable(f"{type(node).__name__} statement in the kernel")
        return True

    def _assign(self, node: ast.Assign | ast.AnnAssign, target: ast.expr, value: ast.expr, path: Path) -> None:
        if node is self._defined:
            return
        if isinstance(target, ast.Tuple):
            kinds = self._unpacked(target, value)
            for item, kind in zip(target.elts, kinds, strict=True):
                self._bind(item, kind)
            if path.masked and any(ast.unparse(item) in self.known for item in target.elts):
                raise NotApplicable("unpacks into variables under a per-row condition")
            return
        kind = self.values.kind(value)
        if isinstance(target, ast.Name) and path.masked and target.id in self.known:
            kind = self._select(value, target.id, self.edits.text(value), path)
        self._bind(target, kind)

    def _unpacked(self, target: ast.Tuple, value: ast.expr) -> list[Kind]:
        if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
            return [self.values.kind(item) for item in value.elts]
        kind = self.values.kind(value)
        if kind.row is not False:
            raise NotApplicable("unpacks a row's value")
        return [Kind(rank=None)] * len(target.elts)

    def _bind(self, target: ast.expr, kind: Kind) -> None:
        if not isinstance(target, ast.Name):
            raise NotApplicable(f"assigns to {ast.unparse(target)}")
        self.known[target.id] = kind

    def _update(self, node: ast.AugAssign, path: Path) -> None:
        if not isinstance(node.target, ast.Name):
            raise NotApplicable(f"assigns to {ast.unparse(node.target)}")
        name = node.target.id
        old = ast.copy_location(ast.Name(id=name, ctx=ast.Load()), node.target)
        whole = ast.copy_location(ast.BinOp(left=old, op=node.op, right=node.value), node)
        kind = self.values.kind(whole)
        if path.masked:
            sign = re.sub(r"^0 | 0$", "", ast.unparse(ast.BinOp(ast.Constant(0), node.op, ast.Constant(0))))
            self._check_selected(self.known[name], kind)
            updated = f"{name} {sign} {self.values.atom(node.value)}"
            self.edits.replace(node, f"{name} = tl.where({path.mask}, {updated}, {name})")
            kind = replace(kind, row=True)
        self.known[name] = kind

    def _select(self, value: ast.expr, name: str, text: str, path: Path) -> Kind:
        """Under a per-row condition a variable that exists keeps its value in the other rows."""
        kind = self.values.kind(value)
        self._check_selected(self.known[name], kind)
        self.edits.replace(value, f"tl.where({path.mask}, {text}, {name})")
        rank = max(kind.rank or 0, self.known[name].rank or 0)
        return Kind(row=True, rank=rank, boolean=kind.boolean and self.known[name].boolean)

    def _check_selected(self, old: Kind, new: Kind) -> None:
        if None in (old.rank, new.rank, old.row, new.row) or (old.place or 2) != (new.place or 2):
            raise NotApplicable("sets a variable of unknown rank under a per-row condition")

    def _return(self, node: ast.Return, path: Path) -> bool:
        if self.helper:
            self.returned.append(UNIFORM if node.value is None else self.values.kind(node.value))
            return False
        if node.value is not None:
            raise NotApplicable("a kernel that returns a value")
        if path.masked:
            raise NotApplicable("returns in the middle of a per-row condition")
        return False

    def _branch(self, node: ast.If, path: Path) -> bool:
        test = self.values.kind(node.test)
        if test.row is None:
            raise NotApplicable("a condition that differs between rows only under a compile-time switch")
        if test.row:
            return self._masked_branch(node, path, test)
        before = dict(self.known)
        body = self.block(node.body, replace(path, conditional=path.conditional or not test.static))
        after, self.known = dict(self.known), dict(before)
        self.values.known = self.known
        orelse = self.block(node.orelse, replace(path, conditional=path.conditional or not test.static))
        if body and orelse:
            self._join(after, before, strict=not test.static)
        elif body:
            self.known = self.values.known = after
        return body or orelse

    def _join(self, other: dict[str, Kind], before: dict[str, Kind], *, strict: bool) -> None:
        for name in {*other, *self.known}:
            left, right = other.get(name), self.known.get(name)
            if left is None or right is None:
                kind = left or right
                assert kind is not None
            else:
                kind = join(left, right)
                if strict and name in before and left.row != right.row:
                    raise NotApplicable(f"a run-time branch makes {name} a row's value or leaves it shared")
            self.known[name] = kind

    def _masked_branch(self, node: ast.If, path: Path, test: Kind) -> bool:
        """A per-row `if`: its statements run for all rows under its mask, its return takes rows out for good."""
        if self.helper:
            raise NotApplicable("a helper branches on a row's value")
        if [type(item) for item in node.body] == [ast.Return] and not node.orelse:
            return self._take_out(node, path, test)
        leaves = isinstance(node.body[-1], ast.Return)
        if leaves and (path.masked or path.looping):
            raise NotApplicable("returns in the middle of a loop or of a per-row condition")
        if node.body[0].lineno == node.lineno:
            raise NotApplicable("a per-row condition on one line with its statement")
        taken = self._fresh("active")
        condition = self.values.condition(node.test, test)
        inner = replace(path, mask=taken, indent=path.indent + INDENTATION)
        margin = " " * (node.col_offset - path.indent)
        self.edits.in_place_of_test(node, f"{taken} = {path.mask} & {condition}", inner.indent)
        self.block(node.body[:-1] if leaves else node.body, inner)
        if node.orelse:
            others = self._fresh("inactive")
            self.edits.in_place_of_else(node, f"{margin}{others} = {path.mask} & ~{taken}")
            self.block(node.orelse, replace(inner, mask=others))
        if leaves:
            span = self.edits.lines_of(node.body[-1])
            self.edits.replace_span(*span, f"{margin}{path.mask} = {path.mask} & ~{taken}\n")
        return True

    def _take_out(self, node: ast.If, path: Path, test: Kind) -> bool:
        if path.looping or path.masked:
            raise NotApplicable("returns in the middle of a loop or of a per-row condition")
        self.edits.in_place_of_all(node, f"{path.mask} = {path.mask} & {self.values.negated(node.test, test)}")
        return True

    def _fresh(self, name: str) -> str:
        taken, number = {*self.known, *assigned(self.function)}, 1
        fresh = name
        while fresh in taken:
            number += 1
            fresh = f"{name}_{number}"
        self.known[fresh] = Kind(row=True, boolean=True)
        return fresh

    def _loop(self, node: ast.For, path: Path) -> None:
        match node.iter:
            case ast.Call(func=function, args=bounds):
                kinds = [self.values.kind(bound) for bound in bounds]
            case _:
                raise NotApplicable("a loop over something else than a range")
        if any(kind.row is not False for kind in kinds):
            raise NotApplicable("a loop whose bounds differ between rows")
        static = "static_range" in ast.unparse(function)
        assert isinstance(node.target, ast.Name)
        self.known[node.target.id] = STATIC if static else UNIFORM
        self._repeat(node, path)

    def _repeat(self, node: ast.For | ast.While, path: Path) -> None:
        """Run the body until the kinds it carries around settle; what ends as a row's must start so."""
        for name in assigned(node) & self.known.keys():
            self.known[name] = replace(self.known[name], static=False)
        inside = replace(path, looping=True)
        spans = dict(self.edits.spans)
        for _ in range(4):
            entry = dict(self.known)
            self.edits.spans = dict(spans)
            self.block(node.body, inside)
            settled = {name: carried(kind, self.known[name]) for name, kind in entry.items()}
            if settled == entry:
                return
            for name in entry:
                if settled[name].row and not entry[name].row:
                    start = start_of(self.function, node, name)
                    self._starts |= [as_rows(self.edits, self.axis, start, settled[name])]
            spans |= self._starts
            self.known = self.values.known = {**self.known, **settled}
        raise NotApplicable("a loop whose variables do not settle")


def _reads(value: ast.expr, call: ast.Call) -> bool:
    """Whether the value is the program id, as it is or cast."""
    match value:
        case ast.Call(func=ast.Attribute(value=inner, attr="to")):
            return inner is call
        case _:
            return value is call


def _whole_numbers(function: Function) -> set[str]:
    """Names that are divided with `//`, which Triton allows for whole numbers only."""
    return {
        node.left.id
        for node in ast.walk(function)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv) and isinstance(node.left, ast.Name)
    }
