"""Mends what ruff complains of in a patch, where that changes nothing of what the code does."""

from __future__ import annotations

import ast
import difflib
import io
import json
import re
import textwrap
import tokenize
from collections.abc import Collection, Sequence
from pathlib import Path

from reintegrate.checks.hooks import ruff

CHECK = ("check", "--no-cache", "--force-exclude")
PROSE = re.compile(r"# (?!(?:type|noqa|fmt|ruff|pragma|mypy|pylint|isort|yapf|flake8|pyright|SPDX|Copyright)\b)\S")
ITEM = re.compile(r"# (?:[-*]|\d+[.)]|\w+ =) ")
"""A comment that begins something of its own: an item of a list, or code that was put away."""
LIMIT = re.compile(r"> (\d+)\)")


def mend(top: Path, path: str, before: str, rules: Sequence[str]) -> None:
    """What ruff itself calls safe, as the hook asks it; then docstrings, and comments that the patch added.

    `before` is the file's text without the patch, `rules` the hook's own words on which rules to take. The file had no
    such complaint before, so that what is mended is the patch's.
    """
    ruff(*CHECK, "--fix", *rules, path, top=top)
    _mend_docstrings(top, path, rules)
    _wrap_comments(top, path, before, rules)


def _mend_docstrings(top: Path, path: str, rules: Sequence[str]) -> None:
    """What ruff holds for unsafe, since a program may read it, where nothing but docstrings changes."""
    before = _read(top / path)
    ruff(*CHECK, "--fix", "--unsafe-fixes", *rules, path, top=top)
    if _code(before) != _code(_read(top / path)):
        _write(top / path, before)


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


def _wrap_comments(top: Path, path: str, before: str, rules: Sequence[str]) -> None:
    """Comments on lines of their own that the patch added and that are longer than the checkout lets a line be."""
    _, out, _ = ruff(*CHECK, "--output-format", "json", *rules, path, top=top)
    wide = [one for one in json.loads(out or "[]") if one["code"] == "E501"]
    text = _read(top / path)
    if not wide or "\r" in text:
        return
    lines, ours = text.split("\n"), _added(before, text) & _comments(text)
    for one in sorted(wide, key=lambda one: -one["location"]["row"]):
        start, limit = one["location"]["row"] - 1, LIMIT.search(one["message"])
        if limit and start in ours:
            end = _end_of_paragraph(lines, start, ours)
            lines[start:end] = _wrapped(lines[start:end], int(limit[1]))
    after = "\n".join(lines)
    if ast.dump(ast.parse(after)) == ast.dump(ast.parse(text)):
        _write(top / path, after)


def _added(before: str, after: str) -> set[int]:
    """The places of lines that were not there before."""
    matcher = difflib.SequenceMatcher(None, before.split("\n"), after.split("\n"), autojunk=False)
    return {place for tag, _, _, start, end in matcher.get_opcodes() if tag != "equal" for place in range(start, end)}


def _comments(text: str) -> set[int]:
    """The places of lines that hold a comment in words and nothing else."""
    return {
        token.start[0] - 1
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT and PROSE.match(token.string) and not token.line[: token.start[1]].strip()
    }


def _end_of_paragraph(lines: Sequence[str], start: int, ours: Collection[int]) -> int:
    """The first line behind `start` that does not go on with its comment."""
    prefix, end = lines[start][: lines[start].index("#")], start + 1
    while end in ours and lines[end].startswith(f"{prefix}#") and not ITEM.match(lines[end].strip()):
        end += 1
    return end


def _wrapped(lines: Sequence[str], limit: int) -> list[str]:
    prefix = lines[0][: lines[0].index("#")] + "# "
    words = " ".join(line.strip().removeprefix("# ") for line in lines)
    return [
        prefix + line
        for line in textwrap.wrap(words, limit - len(prefix), break_long_words=False, break_on_hyphens=False)
    ]


def _read(file: Path) -> str:
    return file.read_bytes().decode()


def _write(file: Path, text: str) -> None:
    file.write_bytes(text.encode())
