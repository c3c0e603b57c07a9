"""The local names of a launcher, and expressions with what those stand for in their place."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator

METAS = re.compile(r"^(meta|META|args|kwargs|opt)$")
DEEPEST = 8


def substituted(node: ast.expr, known: dict[str, ast.expr], depth: int = 0) -> ast.expr:
    """The expression with each known name replaced by what it was given, and names in that too."""
    found: ast.expr = _Substitute(known, depth).visit(copy.deepcopy(node))
    return found


class _Substitute(ast.NodeTransformer):
    def __init__(self, known: dict[str, ast.expr], depth: int) -> None:
        self.known, self.depth = known, depth

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.known and self.depth < DEEPEST:
            return _Substitute(self.known, self.depth + 1).visit(copy.deepcopy(self.known[node.id]))  # type: ignore[no-any-return]
        return node


def assigned(tree: ast.Module, before: int) -> Iterator[tuple[str, ast.expr]]:
    """Local names with what they were last given before that line; sizes unpacked from a shape as subscripts."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.FunctionDef) or node.lineno > before:
            continue
        if isinstance(node, ast.FunctionDef):
            returned = [one.value for one in node.body if isinstance(one, ast.Return) and one.value is not None]
            if node.args.args and METAS.match(node.args.args[0].arg) and len(returned) == 1:
                yield node.name, returned[0]
            continue
        if node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                if target.id not in {one.id for one in ast.walk(node.value) if isinstance(one, ast.Name)}:
                    yield target.id, node.value
            elif isinstance(target, ast.Tuple):
                yield from _unpacked(target, node.value)


def _unpacked(target: ast.Tuple, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(value, ast.Tuple):
        if len(value.elts) == len(target.elts):
            for one, its in zip(target.elts, value.elts, strict=True):
                if isinstance(one, ast.Name) and one.id not in {n.id for n in ast.walk(its) if isinstance(n, ast.Name)}:
                    yield one.id, its
        return
    shaped = (isinstance(value, ast.Attribute) and value.attr == "shape") or (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in ("size", "stride")
    )
    starred = next((at for at, one in enumerate(target.elts) if isinstance(one, ast.Starred)), len(target.elts))
    for at, one in enumerate(target.elts):
        if shaped and isinstance(one, ast.Name) and one.id != "_":
            index = at if at < starred else at - len(target.elts)
            yield one.id, ast.Subscript(value=value, slice=ast.Constant(index), ctx=ast.Load())
