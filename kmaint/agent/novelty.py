"""Whether a candidate is worth a gate, or is one that was judged before in other words."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator, Sequence

from kmaint.records.evaluation import Candidate, Evaluation


def repeats(candidate: Candidate, original: str, history: Sequence[Evaluation], *, planned: bool) -> str:
    """Why the candidate is nothing new, in words; empty where it is new.

    It is not where its source says what the original or a judged one says, nor, where it was `planned` before it was
    made, where the same edit of the same parent, for the same reason, was judged.
    """
    if why := says_again(candidate.source, original, history):
        return why
    asked = _asked(candidate)
    again = (one for one in history if planned and asked == _asked(one.candidate))
    return next((f"the edit that led to {one.candidate.id}" for one in again), "")


def says_again(source: str, original: str, history: Sequence[Evaluation]) -> str:
    """What the source is in other words, the original or a judged candidate; empty where it is neither.

    Comments, formatting, docstrings and names of locals are other words.
    """
    said = normal(source)
    if said == normal(original):
        return "the original in other words"
    twins = (one for one in history if said == normal(one.candidate.source))
    return next((f"{one.candidate.id} in other words" for one in twins), "")


def _asked(candidate: Candidate) -> tuple[str | None, str, str]:
    """Of which parent a candidate is which edit."""
    edit, why = (" ".join(text.lower().split()) for text in (candidate.plan.edit, candidate.plan.why))
    return candidate.parent, edit, why


@functools.lru_cache(maxsize=256)
def normal(source: str) -> str:
    """A text that two sources share where they differ in layout, comments, docstrings and names of locals only.

    What is not Python keeps all but its whitespace.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return " ".join(source.split())
    return ast.unparse(_Renamed().visit(tree))


class _Renamed(ast.NodeTransformer):
    """Gives each local the name `local N` by its first appearance, which no source can hold, and drops docstrings.

    Parameters keep their names, since callers may pass them by keyword.
    """

    def __init__(self) -> None:
        self._scopes: list[dict[str, str]] = []
        self._used = 0

    def _named(self, name: str) -> str:
        scope = next((one for one in reversed(self._scopes) if name in one), None)
        if scope is None:
            return name
        if not scope[name]:
            scope[name] = f"local {self._used}"
            self._used += 1
        return scope[name]

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._named(node.id)
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.Nonlocal:
        node.names = [self._named(name) for name in node.names]
        return node

    def visit_Module(self, node: ast.Module) -> ast.Module:
        node.body = [self.visit(statement) for statement in _without_docstring(node.body)]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = _without_docstring(node.body)
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        # Decorators, defaults and annotations belong to the scope around.
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.args = self.visit(node.args)
        node.returns = node.returns and self.visit(node.returns)
        self._scopes.append(_scope(node.args, node.body))
        node.body = [self.visit(statement) for statement in _without_docstring(node.body)]
        self._scopes.pop()
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        node.args = self.visit(node.args)
        self._scopes.append(_scope(node.args, [node.body]))
        node.body = self.visit(node.body)
        self._scopes.pop()
        return node


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest or [ast.Pass()]
        case _:
            return body


def _scope(arguments: ast.arguments, body: Sequence[ast.AST]) -> dict[str, str]:
    """The names that a function binds: nothing for one that is to be renamed, itself for one that keeps its name.

    What is bound by a word of the syntax rather than by a name is kept, and everything in a function that holds a
    class, whose body is a scope that its own functions do not see.
    """
    own = list(_own(body))
    stored = {one.id for one in own if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}
    outer = {name for one in own if isinstance(one, ast.Nonlocal) for name in one.names}
    kept = {one.arg for one in ast.walk(arguments) if isinstance(one, ast.arg)} | set(_words(own))
    if any(isinstance(one, ast.ClassDef) for one in own):
        kept |= stored
    return {**dict.fromkeys(stored - outer, ""), **{name: name for name in kept - outer}}


def _own(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes and what is in them, without what functions inside have of their own."""
    for node in nodes:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _own(ast.iter_child_nodes(node))


def _words(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Names that statements bind without a node of their own."""
    for node in nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name
            case ast.Global(names=names):
                yield from names
            case ast.alias(name=name, asname=asname):
                yield asname or name.partition(".")[0]
            case _:
                continue
