"""Mends what ruff complains of in a patch, where that changes nothing of what the code does."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from pathlib import Path

from reintegrate.checks.hooks import ruff

CHECK = ("check", "--no-cache", "--force-exclude")
COMMENT = re.compile(r"(\s*# )(?!type:|noqa|fmt:|ruff:|pragma)(\S.*)")
LIMIT = re.compile(r"> (\d+)\)")


def mend(top: Path, path: str) -> None:
    """All that ruff itself calls safe, as the checkout configures it; then docstrings and comments."""
    ruff(*CHECK, "--fix", path, top=top)
    _mend_docstrings(top, path)
    _wrap_comments(top, path)


def _mend_docstrings(top: Path, path: str) -> None:
    """What ruff holds for unsafe, since a program may read it, where nothing but docstrings changes."""
    before = (top / path).read_text()
    ruff(*CHECK, "--fix", "--unsafe-fixes", path, top=top)
    if _code(before) != _code((top / path).read_text()):
        (top / path).write_text(before)


def _code(text: str) -> str:
    """The syntax tree without what stands alone as a string; the text itself where it is no Python."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return text
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str()) as literal):
                literal.value = ""
            case _:
                continue
    return ast.dump(tree)


def _wrap_comments(top: Path, path: str) -> None:
    """Comments on lines of their own that are longer than the checkout lets a line be."""
    _, out, _ = ruff(*CHECK, "--output-format", "json", path, top=top)
    lines = (top / path).read_text().splitlines()
    found = [one for one in json.loads(out or "[]") if one["code"] == "E501"]
    for one in sorted(found, key=lambda one: -one["location"]["row"]):
        start, limit = one["location"]["row"] - 1, LIMIT.search(one["message"])
        if limit and (comment := COMMENT.fullmatch(lines[start])):
            end = _end_of_comment(lines, start, comment[1])
            words = " ".join(line.strip().removeprefix("# ") for line in lines[start:end])
            wrapped = textwrap.wrap(
                words, int(limit[1]) - len(comment[1]), break_long_words=False, break_on_hyphens=False
            )
            lines[start:end] = [comment[1] + line for line in wrapped]
    if found:
        (top / path).write_text("\n".join(lines) + "\n")


def _end_of_comment(lines: list[str], start: int, prefix: str) -> int:
    """The first line behind `start` that does not go on with the comment."""
    end = start + 1
    while end < len(lines) and (comment := COMMENT.fullmatch(lines[end])) and comment[1] == prefix:
        end += 1
    return end
