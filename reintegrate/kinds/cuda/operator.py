"""The host operator of a harness in CUDA C++: where it stands, and which of its parameters each argument becomes."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from kmaint.cpp.text import blank_noise
from kmaint.folder import KERNEL
from kmaint.records.harness import Harness
from kmaint.spans import Source
from reintegrate.kinds.cuda.pieces import WORD, Piece
from reintegrate.kinds.win import Declined

BINDING = "binding.cu"
FRAMEWORKS = ("vllm", "sglang")
WRAPPED = re.compile(r"(\w+)\s*(<.*>)?\s*(?:::\s*(\w+))?")
PAIRS = {"(": ")", "<": ">", "{": "}", "[": "]"}


@dataclass(frozen=True)
class Parameter:
    """As C++ spells it; `template` where it is one of the class around the operator, known to the compiler."""

    name: str
    type: str
    template: bool = False

    @property
    def optional(self) -> bool:
        return "optional<" in self.type.replace(" ", "")


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A host function of a file, or a class's static member that is one.

    `symbol` is what stands at namespace level, `member` the function in it, if it is a class. `parameters` are the
    function's own, `arguments` what each argument of the harness's entry becomes. `body` is the offset behind the
    opening brace.
    """

    piece: Piece
    symbol: str
    member: str
    returns: str
    template: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    arguments: Mapping[str, Parameter]
    body: int

    def twin(self, symbol: str) -> str:
        """How its like under another name is called: what stands before the bracket."""
        types = f"<{', '.join(self.template)}>" if self.template else ""
        return f"{symbol}{types}{f'::{self.member}' if self.member else ''}"


def operator_of(harness: Harness, text: str, pieces: list[Piece]) -> Operator | Declined:
    """The operator in the file's text; Declined where it is none whose parameters can be told."""
    framework = harness.provenance.framework
    if framework not in FRAMEWORKS:
        return Declined(f"kmaint does not know how {framework}'s host code reads a tensor")
    wrapped = _registered(harness, text) if framework == "vllm" else _exported(harness)
    if isinstance(wrapped, Declined):
        return wrapped
    found = WRAPPED.fullmatch(wrapped.name)
    symbol, member = (found[1], found[3] or "") if found else ("", "")
    homes = [piece for piece in pieces if piece.names == {symbol} and _opens(piece, member or symbol)]
    if len(homes) != 1:
        how = "stands nowhere at namespace level" if not homes else f"is defined {len(homes)} times"
        return Declined(f"the operator {wrapped.name} {how} in {harness.provenance.path}")
    return _read(text, homes[0], (symbol, member), wrapped)


@dataclass(frozen=True)
class _Wrapped:
    """An operator as it is registered, and which arguments of the entry it is given, in its order."""

    name: str
    given: tuple[str, ...]
    template: tuple[str, ...] = ()


def _registered(harness: Harness, text: str) -> _Wrapped | Declined:
    """By name in a library of torch, which hands all arguments on in the order of the schema."""
    binding = harness.folder / BINDING
    sources = f"{binding.read_text() if binding.is_file() else ''}\n{text}"
    name = re.escape(harness.op.rpartition("::")[2])
    found = re.search(rf'\bimpl\s*\(\s*"{name}"\s*,[^;&]*&\s*(?:\w+::)*(\w+)', sources)
    if found is None:
        return Declined(f"no registration of {harness.op} names its function")
    return _Wrapped(found[1], tuple(_parameters(_entry(harness))))


def _exported(harness: Harness) -> _Wrapped | Declined:
    """By a loader in Python, which names the class that it wants built and with what, and by the call of that."""
    functions = Source((harness.folder / KERNEL).read_text()).functions
    entry = _entry(harness)
    for name, loader in functions.items():
        exports = dict(_exports(loader))
        asked = next(_calls(entry, {name}), None)
        call = next(_calls(entry, exports.keys()), None)
        if asked is None or call is None or not exports:
            continue
        types = _template(loader, asked)
        export = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        given = tuple(ast.unparse(one) for one in call.args)
        if call.keywords or types is None:
            break
        return _Wrapped(exports[export], given, types)
    return Declined(f"{harness.entry} leads to no one wrapper in a manner that can be read off")


def _exports(loader: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Names of what a loader wants exported, with the C++ behind each: what is put in by braces left as `...`."""
    for node in ast.walk(loader):
        if isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[0], ast.Constant):
            text = node.elts[1]
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            words = [str(one.value) if isinstance(one, ast.Constant) else "..." for one in parts]
            yield str(node.elts[0].value), "".join(words)


def _template(loader: ast.FunctionDef, asked: ast.Call) -> tuple[str, ...] | None:
    """What the entry says that becomes the template's arguments, in their order; None where that is not plain."""
    values = dict(zip(_parameters(loader), (ast.unparse(one) for one in asked.args), strict=False))
    values |= {one.arg or "": ast.unparse(one.value) for one in asked.keywords}
    made = next(_calls(loader, {"make_cpp_args"}), None)
    if made is None or made.keywords or not all(isinstance(one, ast.Name) for one in made.args):
        return None
    return tuple(values.get(ast.unparse(one), "") for one in made.args)


def _calls(function: ast.FunctionDef, names: Collection[str]) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names:
                yield node


def _entry(harness: Harness) -> ast.FunctionDef:
    return Source((harness.folder / KERNEL).read_text()).functions[harness.entry]


def _parameters(function: ast.FunctionDef) -> list[str]:
    return [one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]


def _opens(piece: Piece, name: str) -> bool:
    """Whether the piece is no declaration only, nor a macro or an `#if`."""
    return (
        piece.kind == "definition"
        and not piece.said.startswith("#")
        and re.search(rf"\b{name}\s*\(.*?\)[^;]*?\{{", piece.said) is not None
    )


def _read(text: str, piece: Piece, named: tuple[str, str], wrapped: _Wrapped) -> Operator | Declined:
    symbol, member = named
    quiet = blank_noise(text)
    opening = re.compile(rf"\b{member or symbol}\s*\(").search(quiet, piece.at, piece.end)
    assert opening
    close = closing(quiet, opening.end() - 1)
    brace = quiet.find("{", close)
    before = quiet[max(quiet.rfind(mark, piece.at, opening.start()) for mark in ";{}:") + 1 : opening.start()]
    returns = " ".join((quiet[piece.at : opening.start()] if not member else before).split())
    parameters = tuple(map(_parameter, _split(quiet[opening.end() : close - 1])))
    template = tuple(map(_parameter, _split(_template_list(quiet[piece.at : opening.start()]))))
    if (len(parameters), len(template)) != (len(wrapped.given), len(wrapped.template)) or ";" in quiet[close:brace]:
        return Declined(f"{wrapped.name} has other parameters than what is handed to it")
    line = quiet[brace + 1 : quiet.find("\n", brace) + 1]
    if line.strip() or not line:
        return Declined(f"the body of {member or symbol} begins on the line of its brace")
    constants = {
        name: Parameter(one.name, one.type, True) for name, one in zip(wrapped.template, template, strict=True)
    }
    return Operator(
        piece=piece,
        symbol=symbol,
        member=member,
        returns=returns,
        template=tuple(one.name for one in template),
        parameters=parameters,
        arguments=constants | dict(zip(wrapped.given, parameters, strict=True)),
        body=brace + 1 + len(line),
    )


def closing(text: str, start: int) -> int:
    """The offset behind the bracket that closes the one at `start`; the end of the text where none does."""
    opened, depth = text[start], 0
    for found in re.compile(f"[{re.escape(opened + PAIRS[opened])}]").finditer(text, start):
        depth += 1 if found[0] == opened else -1
        if depth == 0:
            return found.end()
    return len(text)


def _template_list(head: str) -> str:
    start = head.find("<")
    return head[start + 1 : closing(head, start) - 1] if head.lstrip().startswith("template") else ""


def _split(text: str) -> list[str]:
    """At the commas outside brackets."""
    parts, depth = [""], 0
    for mark in text:
        depth += (mark in "(<{[") - (mark in ")>}]")
        if mark == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += mark
    return [" ".join(part.split()) for part in parts if part.strip()]


def _parameter(text: str) -> Parameter:
    declared = text.partition("=")[0].strip()
    name = WORD.findall(declared)[-1]
    return Parameter(name, declared[: declared.rindex(name)].strip())
