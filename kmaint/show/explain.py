"""What words mean, as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from kmaint.console import Format, print_lines, print_object, print_table
from kmaint.explained import Explanation
from kmaint.wire import dump


def explained(found: Sequence[Explanation], output: Format) -> None:
    """One word, of each kind that knows it: all that is said of it."""
    if output is Format.JSON:
        print_object("kmaint.explain/1", {"explanations": dump(found)})
    else:
        print_lines(line for one in found for line in _lines(one))


def _lines(one: Explanation) -> Iterator[str]:
    yield f"{one.word} ({one.kind}): {one.means}"
    for label, text in (("found by", one.found), ("example", one.example), ("next", one.next)):
        if text:
            yield f"  {label:9} {text}"


def listed(found: Sequence[Explanation], output: Format) -> None:
    """Every word with its sentence, a table a kind."""
    if output is Format.JSON:
        print_object("kmaint.explain/1", {"explanations": dump(found)})
        return
    for kind, words in groupby(found, key=lambda one: one.kind):
        print_table((kind, ""), [(one.word, one.means) for one in words])
        print_lines([""])
