"""What kmaint's own words mean: verdicts, codes and states, as data in explained.toml, and the README's table."""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import get_args

from kmaint.errors import UsageError
from kmaint.records.evaluation import Dishonesty

NEAR = 3
"""Guesses at what an unknown word was meant to be."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One word: what it means, how it is found, what brings it about, and what to do then.

    Of words that describe rather than judge, the last three may be empty.
    """

    kind: str
    word: str
    means: str
    found: str = ""
    example: str = ""
    next: str = ""


@functools.cache
def explanations() -> tuple[Explanation, ...]:
    """All of them, by kind, in the order of the file."""
    kinds = tomllib.loads((resources.files("kmaint") / "explained.toml").read_text())
    return tuple(
        Explanation(kind=kind, word=word, **texts) for kind, words in kinds.items() for word, texts in words.items()
    )


def explain(text: str) -> list[Explanation]:
    """What the word means, of each kind that knows it. UsageError names the nearest words."""
    wanted = _plain(text)
    if found := [one for one in explanations() if _plain(one.word) == wanted]:
        return found
    words = {_plain(one.word): one.word for one in explanations()}
    near = [words[key] for key in difflib.get_close_matches(wanted, words, n=NEAR)]
    hint = f"the nearest are {', '.join(near)}" if near else "'kmaint explain' lists them"
    raise UsageError(f"{text!r} is no verdict, code or state", hint)


def _plain(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")


def codes_table(words: Iterable[str] = get_args(Dishonesty)) -> str:
    """The README's table: what an honest kernel never does, a code a row."""
    means = {one.word: one.means for one in explanations() if one.kind == "code"}
    rows = [f"| `{word}` | {means[word]} |" for word in words]
    return "\n".join(["| code | what was done |", "| --- | --- |", *rows])
