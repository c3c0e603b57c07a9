"""Shapes that people wrote down: in the comment behind a parameter, and in a docstring."""

from __future__ import annotations

import ast
import re

BRACKETED = re.compile(r"[\[(]([^\[\]()]*)[\])]")
DOC_LINE = re.compile(r"^\s*(?P<name>\w+)\s*(?:\([^)]*\))?\s*[:-]\s*(?P<text>.*)$")


def in_comments(source: str, function: ast.FunctionDef) -> dict[str, tuple[str, ...]]:
    """Shapes that stand in the comments behind the parameters."""
    lines = source.splitlines()
    found = {}
    for argument in [*function.args.args, *function.args.kwonlyargs]:
        _, _, comment = lines[argument.lineno - 1].partition("#")
        if (shape := BRACKETED.search(comment)) and (sizes := _sizes(shape[1])):
            found[argument.arg] = sizes
    return found


def in_docstring(function: ast.FunctionDef) -> dict[str, tuple[str, ...]]:
    """Shapes that the docstring gives to arguments."""
    found: dict[str, tuple[str, ...]] = {}
    for line in (ast.get_docstring(function) or "").splitlines():
        named = DOC_LINE.match(line)
        if named and (shape := BRACKETED.search(named["text"])) and (sizes := _sizes(shape[1])):
            found.setdefault(named["name"], sizes)
    return found


def _sizes(text: str) -> tuple[str, ...]:
    """`num_tokens, 2 * head_size` as sizes; empty where the text is prose."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts:
        if not re.fullmatch(r"[\w\s*+/.-]+", part) or re.search(r"[A-Za-z_]\s+[A-Za-z_]|\.\.\.", part):
            return ()
        try:
            ast.parse(part, mode="eval")
        except SyntaxError:
            return ()
    named = any(re.search(r"[A-Za-z]", part) for part in parts)
    return tuple(part.replace("/", "//").replace("////", "//") for part in parts) if named else ()
