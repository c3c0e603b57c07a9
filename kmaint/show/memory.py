"""What commands on lessons print: one line a lesson, and how many were written where."""

from __future__ import annotations

from collections.abc import Sequence

from kmaint.console import Format, print_lines, print_object, print_table
from kmaint.records.lesson import Lesson
from kmaint.wire import fields_of


def lessons(found: Sequence[Lesson], added: int | None, output: Format) -> None:
    """Every lesson, without its sources; `added` is how many went to a file, None where there is none."""
    if output is Format.JSON:
        print_object("kmaint.memory/1", {"lessons": [_fields(one) for one in found], "added": added})
        return
    print_table(
        ("lesson", "operation", "arch", "bottleneck", "edit", "gain", "why"),
        ((one.outcome, one.operation, one.arch, one.bottleneck, one.edit, _gain(one), _why(one)) for one in found),
    )
    if added is not None:
        print_lines([f"{added} of {len(found)} lessons added"])


def _fields(lesson: Lesson) -> dict[str, object]:
    return {name: value for name, value in fields_of(lesson).items() if name not in ("slow", "fast", "agreeing")}


def _gain(lesson: Lesson) -> str:
    if lesson.gain is None:
        return ""
    return f"{lesson.gain:.2f}x{' estimated' if lesson.estimated else ''}"


def _why(lesson: Lesson) -> str:
    return lesson.why if lesson.outcome == "win" else f"{', '.join(lesson.codes)}: {lesson.reason}"
