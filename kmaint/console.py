"""All printing: one object or table on standard output, progress and errors on standard error."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from kmaint import wire
from kmaint.errors import KmaintError

if TYPE_CHECKING:
    from rich.table import Table  # rich is imported where it draws: what prints JSON should not wait for it

DONE, NO = 0, 1
"""Exit codes of a command that did what it was asked: NO where the answer is no."""


class Format(StrEnum):
    """How a command's result is printed."""

    TABLE = "table"
    JSON = "json"


class ScanFormat(StrEnum):
    """What a scan is written as."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    SARIF = "sarif"
    HTML = "html"


def object_text(schema: str, content: dict[str, Any]) -> str:
    """One JSON object, named by its schema."""
    return json.dumps({"schema": schema, **wire.dump(content)}, indent=1) + "\n"


def lines_text(schema: str, content: dict[str, Any]) -> str:
    """One JSON object, a line each for its keys and for the items of its lists: to be searched, and fast to write."""
    return "{\n" + ",\n".join(_lines({"schema": schema, **content})) + "\n}\n"


def _lines(content: dict[str, Any]) -> Iterator[str]:
    encode = json.JSONEncoder(default=wire.plain).encode
    for key, value in content.items():
        if isinstance(value, (list, tuple)) and value:
            items = ",\n".join(map(encode, value))
            yield f"{encode(key)}: [\n{items}\n]"
        else:
            yield f"{encode(key)}: {encode(value)}"


def print_object(schema: str, content: dict[str, Any]) -> None:
    """One JSON object on standard output, named by its schema, and nothing else there."""
    print_text(object_text(schema, content))


def print_text(text: str) -> None:
    """Text on standard output, as it is."""
    sys.stdout.write(text)


def print_lines(lines: Iterable[str], *, to_error: bool = False) -> None:
    """Plain lines on standard output, as they are: no markup, no wrapping."""
    stream = sys.stderr if to_error else sys.stdout
    stream.writelines(f"{line}\n" for line in lines)
    stream.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, to_error: bool = False) -> None:
    """A table as wide as it must be in a pipe, and as the terminal where there is one."""
    from rich.console import Console

    stream = sys.stderr if to_error else sys.stdout
    console = Console(file=stream, soft_wrap=not stream.isatty(), markup=False, highlight=False)
    table = _table(columns, rows)
    if not console.is_terminal:
        console.width = 4096
    console.print(table)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def terminal_rows() -> int | None:
    """Lines of the terminal that standard output is; None where it is a pipe or a file."""
    return shutil.get_terminal_size().lines if sys.stdout.isatty() else None


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as text, each column as wide as its widest cell; thousands of rows take milliseconds."""
    lines = [columns, *rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def print_error(error: KmaintError, output: Format) -> None:
    """One line on standard error; with JSON output an object on standard output as well."""
    sys.stderr.write(f"kmaint: {error}\n")
    if output is Format.JSON:
        failure = {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}
        print_object("kmaint.error/1", {"error": failure})


class Progress:
    """Progress on standard error: lines with the time since the start; silent with `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._started, self._quiet = time.monotonic(), quiet

    def __call__(self, line: str) -> None:
        if not self._quiet:
            sys.stderr.write(f"[{time.monotonic() - self._started:6.1f} s] {line}\n")
            sys.stderr.flush()


class Status:
    """One line on standard error that is rewritten in place; where that is no terminal, a line now and then."""

    EVERY_S: ClassVar[float] = 15.0

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet, self._last, self._shown = quiet, time.monotonic(), False

    def __enter__(self) -> Status:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\n")

    def __call__(self, line: str) -> None:
        if self._quiet:
            return
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line}")
            self._shown = True
        elif time.monotonic() - self._last >= self.EVERY_S:
            sys.stderr.write(f"{line}\n")
            self._last = time.monotonic()
        sys.stderr.flush()


class View:
    """Lines and a table on standard output that are drawn anew in place; `live` is False where that is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self.live = sys.stdout.isatty()
        self._screen = Live(console=Console(markup=False, highlight=False), auto_refresh=False)

    def __enter__(self) -> View:
        if self.live:
            self._screen.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._screen.stop()

    def __call__(self, lines: Iterable[str], columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        from rich.console import Group
        from rich.text import Text

        text = Text("\n".join(lines))
        self._screen.update(Group(text, Text(), _table(columns, rows)), refresh=True)
