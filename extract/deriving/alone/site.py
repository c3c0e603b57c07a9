"""What the host functions that launch a kernel say of its arguments: which tensor's stride, which size, which grid.

A launch is read, never run. An argument's expression is followed through the launcher's local names to sizes of
tensors, constants and the kernel's other arguments; what cannot be followed is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from extract.deriving.alone.locals import DEEPEST, METAS, assigned, substituted
from extract.slicing.modules import Library, Module
from kmaint.records.kernel import Kernel

FUNCTIONS = {
    **dict.fromkeys(("triton.cdiv", "cdiv", "ceil_div", "ceildiv", "div_ceil", "tl.cdiv"), "cdiv"),
    **dict.fromkeys(("triton.next_power_of_2", "next_power_of_2", "next_power_of_two"), "next_power_of_2"),
    **dict.fromkeys(("min", "max"), ""),
}
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
MOST_SITES = 4


def site_sources(library: Library, kernel: Kernel) -> tuple[str, ...]:
    """The texts of the functions that launch a kernel, each after the constants of its module that it names."""
    found: list[str] = []
    for host in kernel.launchers:
        module = library.at(host.path)
        root, *inner = host.qualname.split(".")
        statements = module.bindings.get(root, [])
        node: ast.AST | None = statements[0].node if statements else None
        for name in inner:
            parts = ast.walk(node) if node is not None else ()
            node = next((one for one in parts if isinstance(one, SCOPES) and one.name == name), None)
        if node is not None and len(found) < MOST_SITES:
            found.append("\n".join([*_constants(module, node), ast.unparse(node)]))
    return tuple(found)


def _constants(module: Module, function: ast.AST) -> Iterator[str]:
    for name in sorted({node.id for node in ast.walk(function) if isinstance(node, ast.Name)}):
        for statement in module.bindings.get(name, []):
            if isinstance(statement.node, ast.Assign | ast.AnnAssign) and _is_number(statement.node.value):
                yield ast.unparse(statement.node)


def _is_number(node: ast.expr | None) -> bool:
    allowed = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    return node is not None and all(isinstance(one, allowed) for one in ast.walk(node))


class UnknownError(Exception):
    """An expression that leads to nothing a contract could say."""


@dataclass(frozen=True)
class Stride:
    """An argument that is the stride of a tensor argument along one dimension, negative from the end."""

    tensor: str
    dimension: int


@dataclass
class Site:
    """One launch: what each of the kernel's parameters is given, as far as the text tells."""

    values: dict[str, object] = field(default_factory=dict)
    """Constants, and expressions over other parameters and new sizes as `=text`."""
    strides: dict[str, Stride] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    """Pointers that are None."""
    dtypes: dict[str, str] = field(default_factory=dict)
    grid: tuple[str, ...] = ()
    options: dict[str, int] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """How much it tells."""
        return len(self.values) + len(self.strides) + 3 * bool(self.grid)


def read_sites(sources: Sequence[str], kernel: str, parameters: Sequence[str], pointers: Iterable[str]) -> list[Site]:
    """Every launch of the kernel in these functions, those that tell most first."""
    found: list[Site] = []
    for source in sources:
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        made = [one for one in ast.walk(tree) if isinstance(one, ast.Call)]
        calls = [one for one in made if _launches(one.func, kernel)]
        calls = calls or [one for one in made if _launches_something(one.func)]
        found += [_Launch(tree, call, list(parameters), set(pointers)).site() for call in calls]
    return sorted(found, key=lambda site: -site.known)


def _launches(launched: ast.expr, kernel: str) -> bool:
    if not isinstance(launched, ast.Subscript):
        return False
    name = ast.unparse(launched.value)
    return name.split(".")[-1] == kernel or kernel in re.findall(r"\w+", name)


def _launches_something(launched: ast.expr) -> bool:
    """A launch through a local name: `kernel = wide if n > 64 else narrow`."""
    return isinstance(launched, ast.Subscript) and ast.unparse(launched.value).lower().endswith("kernel")


class _Launch:
    def __init__(self, tree: ast.Module, call: ast.Call, parameters: list[str], pointers: set[str]) -> None:
        self.call, self.parameters, self.pointers = call, parameters, pointers
        self.locals = dict(assigned(tree, call.lineno))
        given = dict(zip(parameters, (one for one in call.args if not isinstance(one, ast.Starred)), strict=False))
        given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        self.given = {name: value for name, value in given.items() if name in parameters}
        self.options = {name: value for name, value in given.items() if name not in parameters}
        self.tensors: dict[str, str] = {}
        self.sizes: dict[str, str] = {}

    def site(self) -> Site:
        """Everything that the launch tells."""
        site = Site()
        for name in self.parameters:
            if name in self.given and name in self.pointers:
                self._tensor(site, name, self.given[name])
        scalars = [name for name in self.parameters if name in self.given and name not in self.pointers]
        for name in scalars:
            text = self.canonical(self.given[name])
            if not re.fullmatch(r"[-\d.'\"]+|True|False|None", text):
                self.sizes.setdefault(text, name)
        for name in scalars:
            if (stride := self._stride(self.given[name])) is not None:
                site.strides[name] = stride
                continue
            try:
                site.values[name] = self._value(name, self.given[name])
            except UnknownError:
                continue
        grid = self._grid()
        if grid:
            site.grid = grid
        for name, value in self.options.items():
            if isinstance(value, ast.Constant) and isinstance(value.value, int) and name in ("num_warps", "num_stages"):
                site.options[name] = value.value
        return site

    def _tensor(self, site: Site, name: str, value: ast.expr) -> None:
        if isinstance(value, ast.Constant) and value.value is None:
            site.absent.add(name)
            return
        text = self.canonical(value)
        self.tensors.setdefault(text, name)
        self.tensors.setdefault(ast.unparse(value), name)
        made = self._made(value)
        if made is not None and (dtype := _stated_dtype(made)):
            site.dtypes[name] = dtype

    def _made(self, value: ast.expr) -> ast.expr | None:
        for _ in range(DEEPEST):
            if isinstance(value, ast.Name) and value.id in self.locals:
                value = self.locals[value.id]
            else:
                return value
        return None

    def _stride(self, value: ast.expr) -> Stride | None:
        """`x.stride(0)`, `x.stride()[0]`, or a local name of one."""
        node = self._made(value)
        match node:
            case ast.IfExp(body=body):
                return self._stride(body)
            case ast.Call(func=ast.Attribute(value=owner, attr="stride"), args=[at]):
                pass
            case ast.Subscript(value=ast.Call(func=ast.Attribute(value=owner, attr="stride"), args=[]), slice=at):
                pass
            case _:
                return None
        try:
            dimension = ast.literal_eval(at)
        except ValueError:
            return None
        tensor = self.tensors.get(ast.unparse(owner)) or self.tensors.get(self.canonical(owner))
        return Stride(tensor, dimension) if tensor and isinstance(dimension, int) else None

    def _value(self, name: str, value: ast.expr) -> object:
        made = self._made(value)
        match made:
            case ast.Constant(value=constant) if constant is None or isinstance(constant, bool | int | float | str):
                return constant
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -number
            case ast.Compare(ops=[ast.IsNot()], comparators=[ast.Constant(value=None)], left=left):
                return self._present(left)
            case ast.Compare(ops=[ast.Is()], comparators=[ast.Constant(value=None)], left=left):
                return not self._present(left)
            case ast.Attribute(value=ast.Name(id="tl"), attr=dtype):
                return {"triton": dtype}
            case ast.BoolOp() | ast.Compare() | None:
                raise UnknownError
            case _:
                text = self.expression(made, but=name)
                return f"={text}"

    def _present(self, left: ast.expr) -> bool:
        name = self.tensors.get(ast.unparse(left)) or self.tensors.get(self.canonical(left))
        if name is None:
            raise UnknownError
        return True

    def canonical(self, node: ast.expr, depth: int = 0) -> str:
        """The expression with local names followed to what they were made of: equal texts, equal values."""
        return ast.unparse(substituted(node, self.locals, depth))

    def expression(self, node: ast.expr, *, but: str = "", depth: int = 0) -> str:
        """A size over the kernel's parameters and new names; UnknownError where it is no size."""
        if depth > DEEPEST:
            raise UnknownError
        known = self.sizes.get(self.canonical(node))
        if known is not None and known != but:
            return known
        match node:
            case ast.Constant(value=bool()):
                raise UnknownError
            case ast.Constant(value=int() as number):
                return str(number)
            case ast.Name(id=name):
                if name in self.locals:
                    return self.expression(self.locals[name], but=but, depth=depth + 1)
                if name in self.parameters and name not in self.pointers and name != but and name in self.given:
                    return name
                if but and name.lower() == but.lower():
                    raise UnknownError
                return name
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, ARITHMETIC):
                one = self.expression(left, but=but, depth=depth + 1)
                other = self.expression(right, but=but, depth=depth + 1)
                return ast.unparse(ast.BinOp(_parsed(one), op, _parsed(other)))
            case ast.Call(func=func, args=arguments, keywords=[]) if ast.unparse(func) in FUNCTIONS:
                name = FUNCTIONS[ast.unparse(func)] or ast.unparse(func)
                return f"{name}({', '.join(self.expression(one, but=but, depth=depth + 1) for one in arguments)})"
            case ast.Call(func=ast.Name(id="int"), args=[one]):
                return self.expression(one, but=but, depth=depth + 1)
            case ast.IfExp(body=body):
                return self.expression(body, but=but, depth=depth + 1)
            case _:
                return self._new(node, but)

    def _new(self, node: ast.expr, but: str) -> str:
        """A name for a size that no parameter holds: `x.shape[0]` is x_0, `self.heads` is heads, `meta["M"]` is M."""
        match node:
            case ast.Subscript(value=ast.Name(id=table), slice=ast.Constant(value=str() as key)) if METAS.match(table):
                return key
            case ast.Subscript(value=ast.Attribute(value=owner, attr="shape"), slice=at):
                return self._of_tensor(owner, at, but)
            case ast.Call(func=ast.Attribute(value=owner, attr="size"), args=[at]):
                return self._of_tensor(owner, at, but)
            case ast.Call(func=ast.Attribute(value=owner, attr="numel"), args=[]):
                return self._of_tensor(owner, ast.Constant("numel"), but)
            case ast.Call(func=ast.Name(id="len"), args=[owner]):
                return self._of_tensor(owner, ast.Constant(0), but)
            case ast.Attribute(attr=name) if not but:
                return name
            case _:
                raise UnknownError

    def _of_tensor(self, owner: ast.expr, at: ast.expr, but: str) -> str:
        if but:  # a size that one parameter alone holds is that parameter's own axis
            raise UnknownError
        words = re.sub(r"\W+", "_", f"{ast.unparse(owner)}_{ast.unparse(at)}".replace("-", "last")).strip("_")
        return re.sub(r"^self_", "", words).lower()

    def _grid(self) -> tuple[str, ...]:
        assert isinstance(self.call.func, ast.Subscript)
        node: ast.expr | None = self._made(self.call.func.slice)
        if isinstance(node, ast.Lambda):
            node = node.body
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "grid":
            node = None
        items = node.elts if isinstance(node, ast.Tuple | ast.List) else [node] if node is not None else []
        try:
            return tuple(self.expression(item) for item in items)
        except UnknownError:
            return ()


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _stated_dtype(made: ast.expr) -> str:
    """`torch.empty(..., dtype=torch.int32)` and `x.to(torch.int32)`."""
    for node in ast.walk(made):
        if isinstance(node, ast.Call):
            for value in [*node.args, *(one.value for one in node.keywords if one.arg == "dtype")]:
                text = ast.unparse(value)
                if re.fullmatch(r"torch\.(u?int\d+|bool|float32|float8_\w+)", text):
                    return text.removeprefix("torch.")
    return ""
