"""What a launcher's own text says of its arguments: ranks, names of sizes, equalities, dtypes, which ones are indices.

Everything here is a hint: derive.py runs the launcher on what they amount to before it believes them.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from extract.deriving.launchers.pointers import uses_of
from extract.deriving.launchers.told import in_comments, in_docstring

TENSOR_USES = frozenset(
    {
        *("shape", "stride", "dtype", "device", "numel", "size", "is_contiguous", "ndim", "dim"),
        *("view", "reshape", "contiguous", "element_size", "data_ptr"),
    }
)


@dataclass
class Parameter:
    """One parameter of the launcher; `default` is True where it may be left out."""

    name: str
    annotation: str
    default: bool
    tensor: bool = False
    rank: int | None = None
    sizes: dict[int, str] = field(default_factory=dict)
    """Size of each axis (negative from the end) as an expression over labels."""
    same_shape_as: str = ""
    dtype: str = ""
    index: bool = False
    stored: bool = False


@dataclass
class Hints:
    """`definitions` maps a local name of the launcher to the expression it was computed by."""

    parameters: dict[str, Parameter]
    definitions: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    """Labels of comments that stand for a size to which the code gives another name."""
    divisors: list[tuple[str, str]] = field(default_factory=list)
    """Pairs (size, divisor): what the launcher divides without remainder."""


def read_hints(source: str, entry: str) -> Hints:
    """Hints of the launcher `entry`, from its text and that of its kernels; LookupError where there is none."""
    functions = {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
    if entry not in functions:
        raise LookupError(f"kernel.py defines no function {entry!r}")
    launcher = functions[entry]
    hints = Hints(_parameters(launcher))
    comments = in_comments(source, launcher) | in_docstring(launcher)
    reader = _Launcher(hints)
    for statement in launcher.body:
        reader.visit(statement)
    for called, names in _launches(launcher, functions):
        noted, uses = in_comments(source, called), uses_of(called)
        for parameter, given in names.items():
            if given not in hints.parameters:
                continue
            known = hints.parameters[given]
            known.tensor |= parameter in uses.loaded | uses.stored
            known.stored |= parameter in uses.stored
            known.index |= parameter in uses.indices
            comments.setdefault(given, noted.get(parameter, ()))
    for name, sizes in comments.items():
        if name in hints.parameters and sizes:
            _note_shape(hints, hints.parameters[name], sizes)
    return hints


def _parameters(launcher: ast.FunctionDef) -> dict[str, Parameter]:
    given = launcher.args
    positional = [*given.posonlyargs, *given.args]
    defaulted = {argument.arg for argument in positional[len(positional) - len(given.defaults) :]}
    defaulted |= {a.arg for a, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is not None}
    found = {}
    for argument in [*positional, *given.kwonlyargs]:
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        tensor = "Tensor" in annotation and "ist[" not in annotation and "uple[" not in annotation
        found[argument.arg] = Parameter(argument.arg, annotation, argument.arg in defaulted, tensor)
    for node in ast.walk(launcher):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in TENSOR_USES:
            known = found.get(node.value.id)
            if known is not None:
                known.tensor = True
    return found


class _Launcher(ast.NodeVisitor):
    """Walks the launcher's statements in order and notes what they say about shapes."""

    def __init__(self, hints: Hints) -> None:
        self.hints = hints
        self.shapes: dict[str, str] = {}

    def visit_Assign(self, node: ast.Assign) -> None:
        if len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Tuple):
                self._unpack(target, node.value)
            elif isinstance(target, ast.Name):
                self._assign(target.id, node.value)
        self.generic_visit(node)

    def _unpack(self, target: ast.Tuple, value: ast.expr) -> None:
        if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
            for one, its in zip(target.elts, value.elts, strict=True):
                if isinstance(one, ast.Name):
                    self._assign(one.id, its)
            return
        tensor = self._shape_of(value)
        if tensor is None:
            return
        names = [one.id if isinstance(one, ast.Name) else "" for one in target.elts]
        starred = [i for i, one in enumerate(target.elts) if isinstance(one, ast.Starred)]
        if not starred:
            tensor.rank = len(names)
        for position, name in enumerate(names):
            if name and name != "_":
                at = position if not starred or position < starred[0] else position - len(names)
                self._size(tensor, at, name)

    def _assign(self, name: str, value: ast.expr) -> None:
        if (size := self._size_of(value)) is not None:
            self._size(size[0], size[1], name)
        elif (shaped := self._shape_of(value)) is not None:
            self.shapes[name] = shaped.name
        elif _is_arithmetic(value) and name not in self.hints.parameters:
            self.hints.definitions.setdefault(name, self._text(value))

    def _size(self, tensor: Parameter, at: int, name: str) -> None:
        if name in self.hints.parameters or at not in tensor.sizes:
            tensor.sizes[at] = name
        elif tensor.sizes[at] != name:
            self.hints.definitions.setdefault(name, tensor.sizes[at])

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.FloorDiv | ast.Mod):
            self.hints.divisors.append((self._text(node.left), self._text(node.right)))
        self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        tests = (
            node.test.values if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.And) else [node.test]
        )
        for test in tests:
            if isinstance(test, ast.Compare):
                parts = [test.left, *test.comparators]
                for left, operator, right in zip(parts, test.ops, parts[1:], strict=False):
                    self._compare(left, operator, right)
        self.generic_visit(node)

    def _compare(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> None:
        if isinstance(operator, ast.In) and isinstance(right, ast.Tuple | ast.List | ast.Set) and right.elts:
            right = right.elts[0]
        elif not isinstance(operator, ast.Eq):
            return
        for one, other in ((left, right), (right, left)):
            self._dtype_or_rank(one, other)
            shaped = self._shape_of(one)
            if shaped is not None and isinstance(other, ast.Tuple | ast.List):
                shaped.rank = len(other.elts)
                for at, size in enumerate(other.elts):
                    shaped.sizes[at] = self._text(size)
        a, b = self._shape_of(left), self._shape_of(right)
        if a is not None and b is not None:
            later, first = (a, b) if b.sizes or b.rank else (b, a)
            later.same_shape_as = first.name
        self._equal_sizes(left, right)

    def _equal_sizes(self, left: ast.expr, right: ast.expr) -> None:
        for one, other in ((left, right), (right, left)):
            size = self._size_of(one)
            if size is not None and size[1] not in size[0].sizes:
                size[0].sizes[size[1]] = self._text(other)
                return

    def _dtype_or_rank(self, one: ast.expr, other: ast.expr) -> None:
        text = ast.unparse(one)
        if isinstance(other, ast.Constant) and isinstance(other.value, int):
            for name, known in self.hints.parameters.items():
                if text in (f"{name}.ndim", f"{name}.dim()", f"len({name}.shape)"):
                    known.rank = other.value
        if isinstance(one, ast.Attribute) and one.attr == "dtype" and isinstance(one.value, ast.Name):
            named = ast.unparse(other)
            if one.value.id in self.hints.parameters and named.startswith("torch."):
                self.hints.parameters[one.value.id].dtype = named.removeprefix("torch.")

    def _shape_of(self, node: ast.expr) -> Parameter | None:
        """The tensor whose whole shape the expression is."""
        if isinstance(node, ast.Name) and node.id in self.shapes:
            return self.hints.parameters[self.shapes[node.id]]
        owner: ast.expr | None = None
        if isinstance(node, ast.Attribute) and node.attr == "shape":
            owner = node.value
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "size"
            and not node.args
        ):
            owner = node.func.value
        return self.hints.parameters.get(owner.id) if isinstance(owner, ast.Name) else None

    def _size_of(self, node: ast.expr) -> tuple[Parameter, int] | None:
        """The tensor and axis whose size the expression is."""
        if isinstance(node, ast.Subscript) and (shaped := self._shape_of(node.value)) is not None:
            at = _integer(node.slice)
            return None if at is None else (shaped, at)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "size"
            and node.args
        ):
            at, owner = _integer(node.args[0]), node.func.value
            if at is not None and isinstance(owner, ast.Name) and owner.id in self.hints.parameters:
                return self.hints.parameters[owner.id], at
        return None

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._touch(self._size_of(node))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self._touch(self._size_of(node))
        if isinstance(node.func, ast.Attribute) and node.func.attr == "stride" and node.args:
            at, owner = _integer(node.args[0]), node.func.value
            if at is not None and isinstance(owner, ast.Name) and owner.id in self.hints.parameters:
                self._touch((self.hints.parameters[owner.id], at))
        self.generic_visit(node)

    def _touch(self, size: tuple[Parameter, int] | None) -> None:
        """An axis that is mentioned exists."""
        if size is not None:
            size[0].sizes.setdefault(size[1], "")

    def _text(self, node: ast.expr) -> str:
        """The expression with each `x.shape[i]` replaced by the label that the size goes by."""
        return ast.unparse(_Labelled(self).visit(ast.parse(ast.unparse(node), mode="eval").body))


class _Labelled(ast.NodeTransformer):
    def __init__(self, launcher: _Launcher) -> None:
        self.launcher = launcher

    def visit(self, node: ast.AST) -> ast.AST:
        size = self.launcher._size_of(node) if isinstance(node, ast.expr) else None  # noqa: SLF001 - its other half
        if size is None:
            return self.generic_visit(node)
        tensor, at = size
        if not tensor.sizes.get(at):
            tensor.sizes[at] = f"{tensor.name}_{at if at >= 0 else 'last' if at == -1 else f'last{-at}'}"
        return ast.parse(tensor.sizes[at], mode="eval").body


def _integer(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, int) else None


def _is_arithmetic(node: ast.expr) -> bool:
    allowed = (
        ast.BinOp,
        ast.Name,
        ast.Constant,
        ast.operator,
        ast.expr_context,
        ast.Subscript,
        ast.Attribute,
        ast.UnaryOp,
    )
    allowed_too = (*allowed, ast.USub)
    return isinstance(node, ast.BinOp | ast.Name) and all(isinstance(part, allowed_too) for part in ast.walk(node))


def _launches(
    launcher: ast.FunctionDef, functions: dict[str, ast.FunctionDef]
) -> list[tuple[ast.FunctionDef, dict[str, str]]]:
    """Each kernel that the launcher starts, with the launcher's name of what each of its parameters is given."""
    found = []
    for node in ast.walk(launcher):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Subscript)):
            continue
        called = functions.get(ast.unparse(node.func.value))
        if called is None:
            continue
        names = [argument.arg for argument in called.args.args]
        given = dict(zip(names, (ast.unparse(argument) for argument in node.args), strict=False))
        given |= {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg}
        found.append((called, given))
    return found


def _note_shape(hints: Hints, parameter: Parameter, sizes: tuple[str, ...]) -> None:
    """A shape from a comment: trusted for the rank, and for the sizes that the code itself gives no name."""
    if parameter.rank is None:
        parameter.rank = len(sizes)
    if parameter.rank == len(sizes):
        for at, size in enumerate(sizes):
            named = parameter.sizes.get(at) or parameter.sizes.get(at - len(sizes))
            if not named:
                parameter.sizes[at] = size
            elif size.isidentifier() and named.isidentifier() and size.lower() != named.lower():
                hints.aliases.setdefault(size.lower(), named.lower())
