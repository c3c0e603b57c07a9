"""Edits inside edits: a node's text can be asked for, and moved, with what was already changed inside it."""

from __future__ import annotations

import ast
import re

from kmaint.agent.transforms.base import NotApplicable
from kmaint.spans import Replacement, Source

Spanned = ast.expr | ast.stmt
INDENTATION = 4


class Edits:
    """Replacements waiting to be made in one source; whatever none covers stays as its author wrote it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.spans: dict[tuple[int, int], str] = {}

    def text(self, node: Spanned) -> str:
        """The node's text with the edits inside it made."""
        return self.render(*self.source.span(node))

    def replace(self, node: Spanned, text: str) -> None:
        self.replace_span(*self.source.span(node), text)

    def replace_span(self, start: int, end: int, text: str) -> None:
        """Edits inside the span give way to this one; lines inserted just above it stay."""
        inner = [span for span in self.spans if start <= span[0] and span[1] <= end and span != (start, start)]
        for span in inner:
            del self.spans[span]
        self.spans[start, end] = text

    def insert(self, at: int, text: str) -> None:
        self.spans[at, at] = self.spans.get((at, at), "") + text

    def line_start(self, number: int) -> int:
        """Offset of a line's first character; one past the last line gives the end."""
        return sum(map(len, self.source.lines[: number - 1]))

    def lines_of(self, node: ast.stmt) -> tuple[int, int]:
        """The span of the statement's whole lines, a comment at their end included."""
        assert node.end_lineno is not None
        return self.line_start(node.lineno), self.line_start(node.end_lineno + 1)

    def in_place_of_test(self, node: ast.If, text: str, columns: int) -> None:
        """The text where `if` and its condition stand, and all below the `if` so many columns to the left.

        The text itself stands that far to the left of the `if`, but for the indentation that is gone with it.
        """
        self._outdent(node, columns)
        colon = self.source.text.index(":", self.source.span(node.test)[1])
        margin = " " * (node.col_offset - columns + INDENTATION)
        self.replace_span(self.lines_of(node)[0], colon + 1, margin + text)

    def in_place_of_else(self, node: ast.If, text: str) -> None:
        """The text where `else` and its colon stand. NotApplicable where an elif stands there, or a return above it."""
        first = node.orelse[0]
        start, end = self.lines_of(node.body[-1])[1], self.lines_of(first)[0]
        between = self.source.text[start:end]
        if (isinstance(first, ast.If) and "else" not in between) or isinstance(node.body[-1], ast.Return):
            raise NotApplicable("elif, or a return with an else, under a per-row condition")
        self.replace_span(start, end, re.sub(r"^ *else\s*:", lambda _: text, between, count=1, flags=re.MULTILINE))

    def in_place_of_all(self, node: ast.If, text: str) -> None:
        """The text where the whole statement stands, below the comments of its first lines."""
        margin = " " * node.col_offset
        lines = self.source.lines[node.lineno - 1 : node.body[0].lineno]
        comments = [line.strip() for line in lines[1:] if line.strip().startswith("#")]
        comments += [found.group().strip() for line in (lines[0], lines[-1]) if (found := re.search(r"  #.*", line))]
        self.replace_span(*self.lines_of(node), "".join(f"{margin}{line}\n" for line in (*comments, text)))

    def _outdent(self, node: ast.If, columns: int) -> None:
        assert node.end_lineno is not None
        for inner in ast.walk(node):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and inner.lineno != inner.end_lineno:
                raise NotApplicable("a text of several lines under a per-row condition")
        text = self.source.text
        colon = text.index(":", self.source.span(node.test)[1])
        header_end = text.count("\n", 0, colon) + 1
        for number in range(header_end + 1, node.end_lineno + 1):
            if self.source.lines[number - 1].strip():
                start = self.line_start(number)
                self.replace_span(start, start + columns, "")

    def render(self, start: int, end: int) -> str:
        """A stretch of the source with the edits inside it made."""
        pieces, at = [], start
        for (first, last), text in sorted(self.spans.items()):
            if start <= first and last <= end:
                pieces += [self.source.text[at:first], text]
                at = last
        return "".join([*pieces, self.source.text[at:end]])

    def replacements(self) -> list[Replacement]:
        return [Replacement(start, end, text) for (start, end), text in self.spans.items()]
