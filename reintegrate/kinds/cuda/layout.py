"""Lines of C++ laid out as clang-format has them with Google's style, as far as that takes no parser."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kmaint.cpp.text import DIRECTIVE, blank_noise

CONTINUED = re.compile(r"([ \t]+)\\$")
FURTHER = 4
"""Columns by which a broken line goes on to the right of where it began."""


def packed(start: str, parts: Sequence[str], marks: tuple[str, str], columns: int) -> list[str]:
    """Parts behind a start, as many on a line as fit, the others below the first; or all below the start.

    `marks` are what stands between two parts, with a line's end in the place of its last space, and behind the last.
    """
    between, end = marks
    words = [f"{part}{between.rstrip()}" for part in parts[:-1]] + [f"{part}{end}" for part in parts[-1:]]
    below = _filled(start, words, len(start), columns)
    if all(len(line) <= columns for line in below):
        return below
    margin = len(start) - len(start.lstrip()) + FURTHER
    return [start, *_filled(" " * margin, words, margin, columns)]


def _filled(start: str, words: Sequence[str], margin: int, columns: int) -> list[str]:
    lines = [start]
    for index, word in enumerate(words):
        if index and len(lines[-1]) + 1 + len(word) > columns:
            lines.append(f"{' ' * margin}{word}")
        else:
            lines[-1] += f" {word}" if index else word
    return lines


def realigned(before: str, after: str, columns: int) -> str:
    """The new text, in which names are longer, with what stood below a bracket below it again.

    Where that is too wide, what follows the bracket begins a line of its own. A macro keeps its backslashes in their
    columns, where there is room. Both texts have the same lines.
    """
    old, new = before.splitlines(), after.splitlines()
    lines: list[str] = []
    index = 0
    while index < len(new):
        end, opened, here = index + 1, _left_open(old[index]), _left_open(new[index])
        if opened is not None and here is not None and here != opened:
            while end < len(old) and _margin(old[end]) == opened + 1:
                end += 1
        group = new[index:end]
        if here is not None and end > index + 1:
            group = _moved(group, here + 1, columns)
        if len(group) == end - index:
            group = [_with_backslash(*pair) for pair in zip(old[index:end], group, strict=True)]
        lines += group
        index = end
    return "\n".join(lines) + "\n"


def _moved(lines: list[str], column: int, columns: int) -> list[str]:
    """Lines of which all but the first are to begin in a column, behind the bracket that the first leaves open."""
    first, *rest = lines
    below = [first, *(f"{' ' * column}{line.lstrip()}" for line in rest)]
    if all(len(line) <= columns for line in below) or first.endswith("\\"):
        return below
    margin = " " * (_margin(first) + FURTHER)
    return [first[:column], f"{margin}{first[column:]}", *(f"{margin}{line.lstrip()}" for line in rest)]


def _with_backslash(old: str, new: str) -> str:
    longer, gap = len(new) - len(old), CONTINUED.search(new)
    return f"{new[: gap.start()]}{' ' * max(1, len(gap[1]) - longer)}\\" if gap and longer > 0 else new


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _left_open(line: str) -> int | None:
    """The column of the last bracket that the line leaves open."""
    opened: list[int] = []
    for column, mark in enumerate(line.partition("//")[0]):
        if mark == "(":
            opened.append(column)
        elif mark == ")" and opened:
            opened.pop()
    return opened[-1] if opened else None


def nested(text: str, indent: str) -> str:
    """The text as it stands under one `#if` more: its directives that much to the right."""
    parts: list[str] = []
    position = 0
    for found in DIRECTIVE.finditer(blank_noise(text)):
        lines = text[found.start() : found.end()].split("\n")
        parts += (text[position : found.start()], "\n".join(f"{indent}{line}" for line in lines))
        position = found.end()
    return "".join([*parts, text[position:]])
