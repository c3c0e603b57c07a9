"""What statements bind and import, on the forms in which the frameworks write them."""

from __future__ import annotations

import ast

import pytest

from extract.slicing.binding import Imported, bound_names, changed_names, imports_below


def parsed(text: str) -> list[ast.stmt]:
    return ast.parse(text).body


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a, (b, *c) = d = value", ["a", "b", "c", "d"]),
        ("total: int = 0", ["total"]),
        ("for i in range(3):\n    last = i\nelse:\n    done = True", ["i", "last", "done"]),
        ("try:\n    x = 1\nexcept E:\n    y = 2\nfinally:\n    z = 3", ["x", "z", "y"]),
        ("if CUDA:\n    def f(): inner = 1\nelse:\n    class g: pass", ["f", "g"]),
        ("import os", []),
        ("table[0] = 1", []),
    ],
)
def test_a_statement_binds_its_names_in_whatever_block(text: str, names: list[str]) -> None:
    assert [name for node in parsed(text) for name in bound_names(node)] == names


def test_an_item_or_an_attribute_is_a_change_and_no_binding() -> None:
    [first, second, third] = parsed("table[key] = 1\nlaunch.grid = 2\nplain = 3")
    assert [list(changed_names(node)) for node in (first, second, third)] == [["table"], ["launch"], []]


CONDITIONAL = """
import torch.nn.functional
import triton.language as tl
from . import layouts as places
from ..utils import *
try:
    from vllm import _custom_ops as ops
except ImportError:
    from .fallback import ops
if is_hip():
    from .hip import f
def lazily():
    import never_seen
"""


def test_imports_are_found_with_their_conditions_and_those_of_functions_are_not() -> None:
    found = list(imports_below(parsed(CONDITIONAL), "vllm.v1.attention"))
    assert [(name, one.target, one.guarded) for name, one in found] == [
        ("torch", "torch", False),
        ("tl", "triton.language", False),
        ("places", "vllm.v1.attention.layouts", False),
        ("*", "vllm.v1.utils", False),
        ("ops", "vllm._custom_ops", True),
        ("ops", "vllm.v1.attention.fallback.ops", False),
        ("f", "vllm.v1.attention.hip.f", False),
    ]
    assert found[0][1] == Imported("torch", "import torch.nn.functional", whole=True)
    [(test, taken)] = found[-1][1].conditions
    assert (ast.unparse(test), taken) == ("is_hip()", True)
