"""What a kernel's own text says of its parameters: which are pointers, sizes of tiles, flags, and what flows where.

A parameter that is handed to another jit function is what that function makes of it. Everything here is a hint:
extract.deriving.alone.derive runs the kernel on what the hints amount to before it believes them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping

from extract.deriving.alone.uses import NOTHING, Flow, KernelText, Parameter

MEMORY = re.compile(r"(?:^|\.)(load|store|atomic_\w+)$")
POINTER_MAKERS = frozenset({"make_block_ptr", "make_tensor_descriptor", "advance"})
SAME_AS_FIRST = frozenset({"multiple_of", "max_contiguous", "cast", "max_constancy", "assume", "advance", "to_tensor"})
TILES = frozenset({"arange", "zeros", "full", "reshape", "view", "broadcast_to"})
DOT_PRECISIONS = ("ieee", "tf32")
RANGES = frozenset({"range", "tl.range", "tl.static_range"})
WHOLE = (ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)
"""Operators that only whole numbers take."""


def read_kernel(source: str, kernel: str) -> KernelText:
    """The text of `kernel`, its helpers followed; LookupError where the source defines no such function."""
    functions = {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
    if kernel not in functions:
        raise LookupError(f"kernel.py defines no function {kernel!r}")
    reader = _Reader(functions)
    reader.read(kernel)
    axes = [axis for name in reader.known for axis in _program_axes(functions[name])]
    return KernelText(kernel, reader.known[kernel], reader.lines[kernel], 1 + max(axes, default=0))


def _program_axes(function: ast.FunctionDef) -> Iterable[int]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("program_id", "num_programs")):
            given = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "axis")]
            if given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, int):
                yield given[0].value


class _Reader:
    def __init__(self, functions: Mapping[str, ast.FunctionDef]) -> None:
        self.functions = functions
        self.known: dict[str, dict[str, Parameter]] = {}
        self.lines: dict[str, dict[int, frozenset[str]]] = {}
        self.returned: dict[str, Flow] = {}

    def read(self, name: str) -> dict[str, Parameter]:
        """Parameters of one jit function; a recursive one is read once."""
        if name not in self.known:
            node = self.functions[name]
            self.known[name] = _signature(node)
            one = _Body(self, self.known[name])
            one.block(node.body)
            self.lines[name], self.returned[name] = one.lines, one.returned
        return self.known[name]


def _signature(node: ast.FunctionDef) -> dict[str, Parameter]:
    own = [*node.args.posonlyargs, *node.args.args]
    defaults: list[ast.expr | None] = [*[None] * (len(own) - len(node.args.defaults)), *node.args.defaults]
    pairs = [*zip(own, defaults, strict=True), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    return {
        argument.arg: Parameter(
            argument.arg,
            ast.unparse(argument.annotation) if argument.annotation else "",
            None if default is None else ast.unparse(default),
        )
        for argument, default in pairs
    }


class _Body:
    """Follows the values of one function in the order of its statements."""

    def __init__(self, reader: _Reader, parameters: dict[str, Parameter]) -> None:
        self.reader, self.parameters = reader, parameters
        self.values: dict[str, Flow] = {name: Flow(frozenset({name}), name) for name in parameters}
        self.lines: dict[int, frozenset[str]] = {}
        self.returned = NOTHING

    def block(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """Note one statement; a branch or a loop is followed as if always taken."""
        seen = NOTHING
        match node:
            case ast.Assign(targets=targets, value=value):
                seen = self.flow(value)
                for target in targets:
                    self._bind(target, value, seen)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                seen = self.flow(value)
                self._bind(target, value, seen)
            case ast.AugAssign(target=ast.Name(id=name), value=value):
                seen = self.flow(value).joined(self.values.get(name, NOTHING))
                self.values[name] = Flow(seen.parameters, self.values.get(name, NOTHING).base, seen.loaded)
            case ast.If(test=test) | ast.While(test=test):
                seen = self._condition(test)
                self.block(node.body)
                self.block(node.orelse)
            case ast.For(target=target, iter=iterated):
                seen = self._range(iterated)
                self._bind(target, iterated, Flow(seen.parameters, "", seen.loaded))
                self.block(node.body)
            case ast.Return(value=ast.expr() as value):
                seen = self.flow(value)
                self.returned = self.returned.joined(seen)
            case ast.Expr(value=value):
                seen = self.flow(value)
            case ast.Assert(test=test):
                seen = self._condition(test)
            case _:
                return
        for line in range(node.lineno, _header_end(node) + 1):
            self.lines[line] = self.lines.get(line, frozenset()) | seen.parameters | seen.loaded

    def _bind(self, target: ast.expr, value: ast.expr, seen: Flow) -> None:
        if isinstance(target, ast.Name):
            self.values[target.id] = seen
        elif isinstance(target, ast.Tuple):
            split = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts) else None
            for at, one in enumerate(target.elts):
                self._bind(one, split[at] if split else value, self.flow(split[at]) if split else seen)

    def _range(self, node: ast.expr) -> Flow:
        seen = self.flow(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in RANGES:
            for name in seen.loaded:
                self.parameters[name].bound = self.parameters[name].whole = True
        return seen

    def _condition(self, test: ast.expr) -> Flow:
        parts = test.values if isinstance(test, ast.BoolOp) else [test]
        for part in parts:
            bare = part.operand if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not) else part
            if isinstance(bare, ast.Name) and bare.id in self.parameters:
                self.parameters[bare.id].condition = True
        return self.flow(test)

    def flow(self, node: ast.expr) -> Flow:
        """Where the value of an expression comes from; what its parts say of parameters is noted on the way."""
        match node:
            case ast.Name(id=name):
                return self.values.get(name, NOTHING)
            case ast.BinOp(left=left, op=op, right=right):
                first, second = self.flow(left), self.flow(right)
                if isinstance(op, WHOLE):
                    self._whole(first.loaded | second.loaded)
                base = (first.base or second.base) if isinstance(op, ast.Add | ast.Sub) else ""
                return Flow(first.parameters | second.parameters, base, first.loaded | second.loaded)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self._compared(left, ops, comparators)
            case ast.Call():
                return self._call(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._condition(test).joined(self.flow(body)).joined(self.flow(orelse))
            case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return self._parts(node) if not isinstance(node, ast.BoolOp) else self._conditions(node)
            case ast.Attribute(value=value) | ast.Subscript(value=value):
                return self.flow(value)
            case _:
                return self._parts(node)

    def _conditions(self, node: ast.BoolOp) -> Flow:
        seen = NOTHING
        for part in node.values:
            seen = seen.joined(self._condition(part))
        return seen

    def _parts(self, node: ast.expr) -> Flow:
        seen = NOTHING
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                seen = seen.joined(self.flow(child))
        return Flow(seen.parameters, "", seen.loaded)

    def _compared(self, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr]) -> Flow:
        seen = self.flow(left)
        for op, other in zip(ops, others, strict=True):
            more = self.flow(other)
            constants = [part.value for part in ast.walk(other) if isinstance(part, ast.Constant)]
            if isinstance(left, ast.Name) and left.id in self.parameters and not isinstance(op, ast.Is | ast.IsNot):
                self.parameters[left.id].compared += constants
            if isinstance(other, ast.Constant) and isinstance(other.value, int) and isinstance(op, ast.Eq | ast.NotEq):
                self._whole(seen.loaded)
            if isinstance(op, ast.Lt | ast.LtE) and not seen.loaded:
                for name in more.loaded:
                    self.parameters[name].bound = True
            seen = seen.joined(more)
        return Flow(seen.parameters, "", seen.loaded)

    def _whole(self, pointers: Iterable[str]) -> None:
        for name in pointers:
            self.parameters[name].whole = True

    def _call(self, node: ast.Call) -> Flow:
        text = ast.unparse(node.func)
        last = text.rpartition(".")[2]
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(node.func, ast.Name) and node.func.id in self.reader.functions:
            return self._helper(node, node.func.id)
        if isinstance(node.func, ast.Name) and node.func.id in self.parameters:
            self.parameters[node.func.id].called = True
        if MEMORY.search(text):
            return self._memory(node, last)
        flows = [self.flow(one) for one in given]
        joined = NOTHING
        for one in flows:
            joined = joined.joined(one)
        if last == "cdiv":
            self._whole(joined.loaded)
        if last in TILES:
            for name in joined.parameters:
                self.parameters[name].tile = self.parameters[name].tile or last == "arange" or last in ("zeros", "full")
        for keyword in node.keywords:
            if keyword.arg == "input_precision" and isinstance(keyword.value, ast.Name):
                self._precision(keyword.value.id)
        for value in given:
            if isinstance(value, ast.Name) and value.id in self.parameters:
                self.parameters[value.id].dtype |= last in ("to", "cast") or _is_dtype(value, node)
        if last in POINTER_MAKERS or last in SAME_AS_FIRST:
            first = flows[0] if flows else NOTHING
            return Flow(joined.parameters, first.base, joined.loaded)
        if isinstance(node.func, ast.Attribute) and not re.fullmatch(
            r"(tl|triton|libdevice)(\.\w+)*", ast.unparse(node.func.value)
        ):
            receiver = self.flow(node.func.value)
            base = receiver.base if last in ("to", "advance") else ""
            return Flow(receiver.parameters | joined.parameters, base, receiver.loaded | joined.loaded)
        return Flow(joined.parameters, "", joined.loaded)

    def _precision(self, name: str) -> None:
        if name in self.parameters:
            self.parameters[name].compared += DOT_PRECISIONS

    def _memory(self, node: ast.Call, last: str) -> Flow:
        method = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) not in ("tl", "triton.language")
        address = node.func.value if method and isinstance(node.func, ast.Attribute) else None
        if address is None:
            pointers = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "pointer")]
            address = pointers[0] if pointers else None
        rest = NOTHING
        for one in [*node.args, *(keyword.value for keyword in node.keywords)]:
            if one is not address:
                rest = rest.joined(self.flow(one))
        at = self.flow(address) if address is not None else NOTHING
        if at.base in self.parameters:
            pointer = self.parameters[at.base]
            pointer.loaded |= last != "store"
            pointer.stored |= last != "load"
            others = [name for name in self.parameters if name in at.parameters and name != at.base]
            pointer.offsets += [name for name in others if name not in pointer.offsets]
            for name in others:
                self.parameters[name].address = True
            for name in at.loaded - {at.base}:
                self.parameters[name].index = self.parameters[name].whole = True
        through = frozenset({at.base}) if at.base in self.parameters and last != "store" else frozenset()
        return Flow(rest.parameters | at.parameters - {at.base}, "", through | rest.loaded)

    def _helper(self, node: ast.Call, name: str) -> Flow:
        callee = self.reader.read(name)
        names = list(callee)
        given = dict(zip(names, node.args, strict=False))
        given |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg in callee}
        flows = {one: self.flow(value) for one, value in given.items()}
        seen = NOTHING
        for one, value in flows.items():
            self._as_callee(callee[one], value, given[one], flows)
            pointers = {value.base} if callee[one].pointer else set()
            seen = seen.joined(Flow(value.parameters - pointers, value.base, value.loaded))
        through = self.reader.returned.get(name, NOTHING)
        loaded = {flows[one].base for one in through.loaded if one in flows and flows[one].base in self.parameters}
        base = flows[through.base].base if through.base in flows else ""
        return Flow(seen.parameters, base, seen.loaded | loaded)

    def _as_callee(self, use: Parameter, value: Flow, given: ast.expr, flows: Mapping[str, Flow]) -> None:
        """What the callee does with its parameter is done with what it was given."""
        if use.pointer and value.base in self.parameters:
            pointer = self.parameters[value.base]
            pointer.loaded |= use.loaded
            pointer.stored |= use.stored
            pointer.index |= use.index
            pointer.whole |= use.whole
            pointer.bound |= use.bound
            reached = value.parameters.union(*(flows[one].parameters for one in use.offsets if one in flows))
            pointer.offsets += [n for n in self.parameters if n in reached - {value.base} - set(pointer.offsets)]
        if use.address:
            for name in value.loaded:
                self.parameters[name].index = self.parameters[name].whole = True
        for name in value.parameters:
            own = self.parameters[name]
            own.tile |= use.tile
            own.address |= use.address
            if isinstance(given, ast.Name):
                own.condition |= use.condition
                own.dtype |= use.dtype
                own.called |= use.called
                own.compared += use.compared


def _is_dtype(one: ast.expr, call: ast.Call) -> bool:
    return any(keyword.arg in ("dtype", "out_dtype") and keyword.value is one for keyword in call.keywords) or (
        ast.unparse(call.func).endswith(("zeros", "full", "empty")) and call.args[-1:] == [one]
    )


def _header_end(node: ast.stmt) -> int:
    """Last line of a statement without its body."""
    body = getattr(node, "body", None)
    return body[0].lineno - 1 if body else node.end_lineno or node.lineno
