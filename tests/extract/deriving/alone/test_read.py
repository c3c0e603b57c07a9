from __future__ import annotations

import pytest

from extract.deriving.alone.read import read_kernel

SOURCE = """
import triton
import triton.language as tl


@triton.jit
def row_of(table, pid):
    return tl.load(table + pid).to(tl.int64)


@triton.jit
def gather(x, table, lens, out, n, stride_x, scale, BLOCK: tl.constexpr, MODE: tl.constexpr = "sum", FAST=False):
    pid = tl.program_id(0)
    row = row_of(table, pid)
    at = tl.arange(0, BLOCK)
    base = x + row * stride_x
    total = tl.zeros([BLOCK], dtype=tl.float32)
    for step in range(tl.load(lens + pid)):
        total += tl.load(base + at, mask=at < n) * scale
    if FAST:
        total = total * 2
    if MODE == "mean":
        total = total / n
    tl.store(out + tl.program_id(1) * n + at, total, mask=at < n)
"""


def test_what_each_parameter_is() -> None:
    text = read_kernel(SOURCE, "gather")
    known = text.parameters
    assert [name for name, one in known.items() if one.pointer] == ["x", "table", "lens", "out"]
    assert [name for name, one in known.items() if one.stored] == ["out"]
    assert known["table"].index and not known["x"].index
    assert known["lens"].bound and known["lens"].whole
    assert known["x"].offsets == ["stride_x", "BLOCK"]
    assert known["BLOCK"].tile and known["BLOCK"].constexpr and not known["n"].tile
    assert known["FAST"].condition and known["MODE"].compared == ["mean"] and known["MODE"].default == "'sum'"
    assert text.programs == 2


def test_a_line_knows_what_its_values_come_from() -> None:
    text = read_kernel(SOURCE, "gather")
    line = next(at for at, words in enumerate(SOURCE.splitlines(), 1) if "base = x" in words)
    assert text.lines[line] >= {"x", "stride_x", "table"}


def test_no_such_kernel() -> None:
    with pytest.raises(LookupError, match=r"kernel\.py defines no function 'other'"):
        read_kernel(SOURCE, "other")
