"""Edits inside edits: a node's text can be asked for, and moved, with what was already changed inside it."""

from __future__ import annotations

import ast

from kmaint.spans import Replacement, Source

Spanned = ast.expr | ast.stmt


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
