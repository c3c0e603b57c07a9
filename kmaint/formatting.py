"""Formats generated Python with ruff: the whole text, or some of its lines."""

from __future__ import annotations

from ruff import find_ruff_bin

from kmaint.child import run_child
from kmaint.errors import InternalError, MissingError


def find_ruff() -> str:
    """The program that kmaint was installed with. MissingError where it is gone."""
    try:
        return str(find_ruff_bin())
    except FileNotFoundError as error:
        raise MissingError(f"ruff is not installed: {error}", "install kmaint with its dependencies") from error


def format_python(source: str, *, columns: int, lines: tuple[int, int] | None = None) -> str:
    """The source as ruff writes it, whatever settings lie around; `lines` (first and last) limits what changes."""
    options = ["format", "--isolated", "--line-length", str(columns), "--stdin-filename", "generated.py"]
    if lines is not None:
        # A range ends inside its last line: one that ends at the start of the next would format that line too.
        end = max(1, len(source.splitlines()[lines[1] - 1]))
        options += ["--range", f"{lines[0]}:1-{lines[1]}:{end}"]
    finished = run_child([find_ruff(), *options, "-"], timeout_s=60, stdin=source)
    if finished.code:
        raise InternalError(f"generated code does not parse: {finished.stderr.strip().splitlines()[0]}")
    return finished.stdout
