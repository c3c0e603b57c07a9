"""Markdown in pieces, of which the optional ones can be left out whole where all of them would be too long."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """A piece of the text. A folded one has a summary, and is what goes first where the text is too long."""

    text: str
    summary: str = ""

    def __str__(self) -> str:
        if not self.summary:
            return self.text
        return f"<details>\n<summary>{self.summary}</summary>\n\n{self.text}\n\n</details>"


def fitted(blocks: list[Block], limit: int, *, raw_data: str = "") -> str:
    """The blocks as one text; where it would be too long, folded ones are left out whole, the last first."""
    kept, dropped = list(blocks), 0
    while len(text := _joined(kept, dropped, raw_data)) > limit and any(block.summary for block in kept):
        last = max(index for index, block in enumerate(kept) if block.summary)
        del kept[last]
        dropped += 1
    return text


def _joined(blocks: list[Block], dropped: int, raw_data: str) -> str:
    where = f"the [raw data]({raw_data})" if raw_data else "kmaint's report"
    note = f"_{dropped} folded section{'s' * (dropped > 1)} left out for length: {where} has all of it._"
    return "\n\n".join(str(block) for block in [*blocks, *([Block(note)] if dropped else [])]) + "\n"


def fenced(text: str, language: str = "") -> str:
    """The text as a block of code, in a fence that is longer than any it holds."""
    fence = "`" * max([4, *(len(run) + 1 for run in re.findall(r"`{3,}", text))])
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
