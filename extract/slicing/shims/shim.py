"""What a stand-in is, and the three ways in which most of them are made."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shim:
    """A stand-in. `truth` is what it comes out as in a test, called or not; `answers` is the same for its methods.

    `fields` names the module whose own defaults the attributes take, where the symbol is a table of settings.
    """

    symbol: str
    name: str
    source: str
    reason: str
    truth: bool | None = None
    answers: Mapping[str, bool] = field(default_factory=dict)
    fields: str = ""


_CONSTANTS = {
    True: "the slice is the CUDA path",
    False: "another platform's path is not sliced",
}


def answer(symbol: str, answer: bool) -> Shim:
    name = symbol.rpartition(".")[2]
    source = f"def {name}(*_arguments: object) -> bool:\n    return {answer}\n"
    return Shim(symbol, name, source, _CONSTANTS[answer], truth=answer)


def capability(symbol: str, test: str) -> Shim:
    name = symbol.rpartition(".")[2]
    source = f"def {name}(*_arguments: object) -> bool:\n    return {test}\n"
    return Shim(symbol, name, source, "the framework's own test of the device; sm_90 where there is no CUDA device")


def source(symbol: str, reason: str, source: str, *, truth: bool | None = None, fields: str = "") -> Shim:
    return Shim(symbol, symbol.rpartition(".")[2], textwrap.dedent(source).lstrip("\n"), reason, truth, {}, fields)
