"""Which parameters of a kernel are pointers, and which of those lead to others."""

from __future__ import annotations

import ast

import pytest

from extract.deriving.launchers.pointers import Uses, pointer_like, uses_of


def kernel(text: str) -> ast.FunctionDef:
    (found,) = ast.parse(text).body
    assert isinstance(found, ast.FunctionDef)
    return found


GATHER = kernel("""
def gather(out_ptr, x_ptr, table_ptr, stride, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    where = tl.load(table_ptr + row)
    where += 1
    columns = tl.arange(0, BLOCK)
    place = x_ptr + where * stride
    value = tl.load(place + columns, mask=columns < n)
    tl.store(out_ptr + row * stride + columns, value)
    tl.atomic_add(out_ptr, 1)
""")


def test_what_is_loaded_stored_and_looked_up() -> None:
    assert uses_of(GATHER) == Uses(loaded={"x_ptr", "table_ptr"}, stored={"out_ptr"}, indices={"table_ptr"})


def test_a_value_that_is_only_computed_with_is_no_index() -> None:
    found = uses_of(kernel("def k(o_ptr, s_ptr):\n    s = tl.load(s_ptr)\n    tl.store(o_ptr, s * 2)\n"))
    assert found == Uses(loaded={"s_ptr"}, stored={"o_ptr"}, indices=set())


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("out_ptr", True), ("x", True), ("stride", False), ("n", False), ("BLOCK", False), ("nothing", False)],
)
def test_a_pointer_is_told_by_its_name_and_annotation(name: str, is_one: bool) -> None:
    text = kernel("def k(out_ptr, x, stride, n, BLOCK: tl.constexpr): ...")
    assert pointer_like(name, text) == is_one
