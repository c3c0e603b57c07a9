"""kmaint's command lines in documents and workflows, and what the command line itself says of each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import typer

from kmaint.cli import app

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
WRONG: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for a command line that it cannot take."""

FENCE, INDENT = "```", "    "
CALL = re.compile(r"^(?:.*(?:&&|;) )?(kmaint .*)$")
REMARK = re.compile(r"\s{2,}(?!\s*--)")
"""In a block what follows two blanks is a remark, as in a table of commands, unless an option follows them."""
INLINE = re.compile(r"`(kmaint\s[^`]*)`")
ENDS = ("|", "||", "&&", ";", ">", ">>", "&", "#")
"""Words with which the shell begins something else."""


def command_lines(page: str) -> Iterator[list[str]]:
    """The arguments of every `kmaint ...` in the blocks of a Markdown page."""
    yield from script_lines("\n".join(line for line, inside in _lines(page) if inside))


def mentions(page: str) -> Iterator[list[str]]:
    """Those of every `kmaint ...` between backticks in its prose, where arguments may be left out."""
    for found in INLINE.finditer("\n".join(line for line, inside in _lines(page) if not inside)):
        yield _words(" ".join(found[1].split()))


def _lines(page: str) -> Iterator[tuple[str, bool]]:
    """Each line of a page, and whether it stands in a block, fenced or indented."""
    fenced = False
    for line in page.splitlines():
        if line.startswith(FENCE):
            fenced = not fenced
        else:
            yield line, fenced or line.startswith(INDENT)


def script_lines(script: str) -> Iterator[list[str]]:
    """The arguments of every `kmaint ...` with which a line of a script begins."""
    for line in script.replace("\\\n", " ").splitlines():
        if found := CALL.match(line.strip()):
            yield _words(REMARK.split(found[1])[0])


def _words(line: str) -> list[str]:
    words = shlex.split(line)
    return words[1 : next((place for place, word in enumerate(words) if word in ENDS), len(words))]


def fault(words: list[str], *, whole: bool = True) -> str:
    """Why kmaint would not take these words; empty where it would. What is not `whole` may lack arguments."""
    if not words or words[0] in ("--help", "--version", "COMMAND"):
        return ""
    name, *rest = words
    if name not in COMMANDS:
        return f"there is no command {name!r}"
    if rest == ["--help"]:
        return ""
    try:
        COMMANDS[name].make_context(name, rest)
    except WRONG as error:
        kind = type(error).__name__
        return "" if kind == "MissingParameter" and not whole else f"{kind}: {error}"
    return ""
