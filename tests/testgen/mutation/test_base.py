"""What is an address and what is a value: a slip in a product means one thing in the former, another in the latter."""

from __future__ import annotations

import ast

from kmaint.spans import Source
from testgen.mutation.base import Scope

KERNEL = """\
@triton.jit
def kernel(x, out, n, stride, scale, B: tl.constexpr):
    row = tl.program_id(0) * stride
    offsets = row * 3 + tl.arange(0, B)
    inside = offsets < n * 4
    value = tl.load(x + offsets, mask=inside) * scale
    slot = tl.load(x + 5 * row)
    for step in range(0, n * 6, B):
        value += slot * 7
    tl.store(out + slot * 8, value * 9, inside)
"""


def scope() -> Scope:
    return Scope(Source(KERNEL), Source(KERNEL).functions["kernel"])


def test_addresses_masks_and_loops_are_indexing_and_values_are_not() -> None:
    own = Scope(source := Source(KERNEL), source.functions["kernel"])
    products = [node for node in own.all(ast.BinOp) if isinstance(node.op, ast.Mult)]
    indexing = {own.of(node) for node in products if own.indexing(node)}
    assert indexing == {"tl.program_id(0) * stride", "row * 3", "n * 4", "5 * row", "n * 6", "slot * 8"}
    assert {own.of(node) for node in products} - indexing == {
        "tl.load(x + offsets, mask=inside) * scale",
        "slot * 7",
        "value * 9",
    }


def test_nodes_come_in_the_order_of_the_text() -> None:
    constants = [node.value for node in scope().all(ast.Constant)]
    assert constants == [0, 3, 0, 4, 5, 0, 6, 7, 8, 9]


def test_a_function_is_a_kernel_by_its_decorator() -> None:
    source = Source("def launch(x):\n    return x\n" + KERNEL)
    assert [Scope(source, source.functions[name]).device for name in ("launch", "kernel")] == [False, True]
