"""Novelty: the same program in other words is nothing new, another program is."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmaint.agent.novelty import normal, repeats
from tests.agent.conftest import CASES, Judged

judged = Judged()

KERNEL = (CASES / "merge_state" / "kernel.py").read_text()
SMALL = """\
import triton.language as tl

scale = 2


def kernel(x_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    mask = offsets < n
    x = tl.load(x_ptr + offsets, mask=mask)
    tl.store(x_ptr + offsets, x * scale, mask=mask)
"""
LOCALS = ("offsets", "mask", "x")
NAMES = ("o", "offs", "m", "ok", "value", "v0", "local_0", "_", "load", "BLOCK_N", "n_", "kernel_")


def renamed(source: str, names: dict[str, str]) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names:
            node.id = names[node.id]
    return ast.unparse(tree)


@settings(max_examples=40)
@given(st.permutations(NAMES))
def test_names_of_locals_and_layout_do_not_count(names: list[str]) -> None:
    other = renamed(SMALL, dict(zip(LOCALS, names, strict=False)))
    assert normal(other) == normal(SMALL)


@settings(max_examples=40)
@given(st.data())
def test_comments_and_blank_lines_do_not_count(data: st.DataObject) -> None:
    lines = SMALL.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines)))
        lines.insert(at, data.draw(st.sampled_from(["", "# a word", "    # another"])))
    assert normal("\n".join(lines)) == normal(SMALL)


@settings(max_examples=40)
@given(st.data())
def test_one_changed_constant_operator_or_name_counts(data: st.DataObject) -> None:
    tree = ast.parse(KERNEL)
    nodes = [
        node
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and type(node.value) is int) or isinstance(node, ast.BinOp | ast.Compare)
    ]
    match data.draw(st.sampled_from(nodes)):
        case ast.Constant() as constant:
            assert isinstance(constant.value, int)
            constant.value += 1
        case ast.BinOp() as operation:
            operation.op = ast.Mod() if not isinstance(operation.op, ast.Mod) else ast.Add()
        case ast.Compare() as comparison:
            comparison.ops = [ast.IsNot() if isinstance(one, ast.Is) else ast.Is() for one in comparison.ops]
    assert normal(ast.unparse(tree)) != normal(KERNEL)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # A parameter may be passed by keyword.
        ("def f(a):\n    return a", "def f(b):\n    return b"),
        # A global is no local.
        ("def f():\n    return a", "def f():\n    return b"),
        ("def f():\n    global a\n    a = 1", "def f():\n    global b\n    b = 1"),
        ("a = 1", "b = 1"),
        # A parameter of a function inside hides the local around it.
        ("def f():\n    x = 1\n    return lambda x: x", "def f():\n    x = 1\n    return lambda y: x"),
        (
            "def f():\n    x = 1\n    def g(x):\n        return x",
            "def f():\n    x = 1\n    def g(y):\n        return x",
        ),
        # Two locals changed places.
        ("def f():\n    a = 1\n    b = 2\n    return a", "def f():\n    a = 1\n    b = 2\n    return b"),
        # A class body binds attributes.
        ("def f():\n    class A:\n        a = 1\n    return A", "def f():\n    class A:\n        b = 1\n    return A"),
        # Not Python at all.
        ("__global__ void f() {}", "__global__ void g() {}"),
    ],
)
def test_what_may_behave_differently_is_different(one: str, other: str) -> None:
    assert normal(one) != normal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('def f():\n    """Doc."""\n    return 1', "def f():\n    return 1"),
        ("def f():\n    return [a for a in range(3)]", "def f():\n    return [b for b in range(3)]"),
        (
            "def f(n):\n    total = n\n    def g():\n        nonlocal total\n        total += 1\n    return g",
            "def f(n):\n    s = n\n    def g():\n        nonlocal s\n        s += 1\n    return g",
        ),
        ("__global__ void f() {}", "__global__  void\nf() {}"),
    ],
)
def test_what_cannot_behave_differently_is_the_same(one: str, other: str) -> None:
    assert normal(one) == normal(other)


def test_a_repeat_is_named() -> None:
    known = judged.passed("def f():\n    a = 1\n    return a", edit="add a local")
    twin = judged.passed("def f():\n    # the same\n    b = 1\n    return b", edit="another edit").candidate
    new = judged.passed("def f():\n    return 2", edit="another edit").candidate
    for planned in (True, False):
        assert repeats(twin, "x = 1", [known], planned=planned) == f"{known.candidate.id} in other words"
        assert repeats(twin, known.candidate.source, [], planned=planned) == "the original in other words"
        assert repeats(new, "x = 1", [known], planned=planned) == ""


def test_the_same_edit_of_the_same_parent_is_a_repeat_and_of_another_parent_is_not() -> None:
    known = judged.passed("x = 1", edit="Use  eight warps")
    again = judged.passed("x = 2", edit="use eight warps").candidate
    elsewhere = judged.passed("x = 3", edit="use eight warps", parent=known.candidate.id).candidate
    assert repeats(again, "x = 0", [known], planned=True) == f"the edit that led to {known.candidate.id}"
    assert repeats(elsewhere, "x = 0", [known], planned=True) == ""


def test_a_plan_that_was_read_off_its_edit_makes_no_repeat() -> None:
    known, other = judged.passed("x = 1", edit="edit of f"), judged.passed("x = 2", edit="edit of f").candidate
    assert repeats(other, "x = 0", [known], planned=False) == ""
