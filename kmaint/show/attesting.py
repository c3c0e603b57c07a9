"""A patch in a terminal, hunk by hunk, and the answers that a person types."""

from __future__ import annotations

import shutil
import sys
import termios
import unicodedata

from rich.console import Console
from rich.text import Text

from kmaint.console import DONE, NO, Format, print_lines, print_object
from kmaint.errors import UsageError
from kmaint.records.attestation import Attestation, Hunk
from kmaint.wire import dump

STYLES = {"+": "green", "-": "red", "@": "cyan"}


def visible(text: str) -> str:
    """The text with every character written out that a terminal would obey or hide instead of showing it.

    Escape sequences can erase lines, and marks of writing direction can show code in another order than it runs.
    """
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character)[0] != "C"
        else character.encode("unicode_escape").decode()
        for character in text
    )


class Terminal:
    """A person at a terminal: hunks and questions go to standard error, so that standard output stays for the result.

    UsageError where there is none: an answer that was not typed by someone who was shown the hunk is no answer.
    """

    def __init__(self) -> None:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError("no terminal to show a person the patch in", "run 'kmaint attest' by hand, in a terminal")
        self._console = Console(file=sys.stderr, markup=False, highlight=False)

    def read(self, hunk: Hunk, number: int, total: int) -> tuple[bool, str] | None:
        self._show(f"\n=== hunk {number} of {total}: {hunk.path}\n{hunk.header}{hunk.text}")
        while True:
            said = self._ask("Have you read it, do you understand it and stand behind it? [y]es, [n]o, [q]uit: ")
            if said in ("y", "yes"):
                return True, ""
            if said in ("n", "no"):
                return False, visible(self._ask("Why not? (may be left empty) ", keep=True) or "")
            if said in (None, "q", "quit"):
                return None

    def sign(self, line: str) -> bool:
        print_lines(
            ["", "A sign-off (DCO) is yours to give. Where the project asks for one, type this line:"], to_error=True
        )
        print_lines([f"  {line}"], to_error=True)
        return self._ask("Enter alone leaves it out: ", keep=True) == line

    def _show(self, text: str) -> None:
        """Page by page: what scrolled past unread was not shown."""
        lines = visible(text).split("\n")
        page = max(4, shutil.get_terminal_size().lines - 3)
        for start in range(0, len(lines), page):
            for line in lines[start : start + page]:
                self._console.print(Text(line, style=STYLES.get(line[:1], "")), soft_wrap=True)
            if start + page < len(lines):
                self._ask("-- Enter shows more --")

    def _ask(self, question: str, *, keep: bool = False) -> str | None:
        """What is typed after the question, None at the end of input; what was typed before it does not count."""
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        sys.stderr.write(question)
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return None
        return line.strip() if keep else line.strip().lower()


def attestation(run: str, found: Attestation, output: Format) -> int:
    """Who attested, or what is left; the answer is no until somebody said yes to all of it and nobody no."""
    if output is Format.JSON:
        fields = {"run": run, "state": _state(found), "reviewer": found.reviewer or None, "patch": found.patch}
        signed = found.sign_off.line if found.sign_off else None
        hunks = [{"path": hunk.path, "sha256": hunk.digest} for hunk in found.hunks]
        print_object(
            "kmaint.attest/1", {**fields, "sign_off": signed, "hunks": hunks, "answers": dump(list(found.answers))}
        )
    else:
        print_lines(_lines(run, found))
    return DONE if found.reviewer else NO


def _state(found: Attestation) -> str:
    return "attested" if found.reviewer else "refused" if found.refusals else "open"


def _lines(run: str, found: Attestation) -> list[str]:
    if found.reviewer:
        signed = f"signed off by {found.sign_off.reviewer}" if found.sign_off else "not signed off"
        return [f"run {run}: {found.reviewer} stands behind all {len(found.hunks)} hunks; {signed}"]
    if found.refusals:
        return [
            f"run {run}: refused by {one.reviewer} in {one.path}: {one.reason or 'no reason given'}"
            for one in found.refusals
        ]
    yes = len({answer.hunk for answer in found.answers})
    return [f"run {run}: {yes} of {len(found.hunks)} hunks answered; the same command goes on with the next"]
