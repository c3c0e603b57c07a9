"""Mutants of a body, as their changed lines."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from testgen.mutation import mutants

Planted = Callable[[str, str, str], list[str]]
KERNEL = "@triton.jit\ndef f(x, y, stride_x, stride_y, n, eps, BLOCK: tl.constexpr):\n"
HOST = "def f(x, y, n, grid):\n"


@pytest.fixture
def planted() -> Planted:
    """What an operator makes of a kernel's or a launcher's body: the changed lines of each mutant."""

    def made(operator: str, where: str, body: str) -> list[str]:
        text = (KERNEL if where == "kernel" else HOST) + textwrap.indent(body, "    ")
        found = [one for one in mutants(text, "f")[0] if one.operator == operator]
        before = text.splitlines()
        return ["\n".join(_changed(before, one.source.splitlines())) for one in found]

    return made


def _changed(before: list[str], after: list[str]) -> list[str]:
    return [line.strip() for old, line in zip(before, after, strict=True) if old != line]
