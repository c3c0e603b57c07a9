"""A contract's expressions: the arithmetic of Python, and nothing that could run code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.errors import HarnessError
from kmaint.expression import evaluate, keeps, names_in, number
from kmaint.records.workload import Binding


@given(st.integers(1, 10**6), st.integers(1, 64))
def test_arithmetic_is_python_s(tokens: int, heads: int) -> None:
    axes = {"T": tokens, "H": heads}
    assert evaluate("T*H*(3*128*2 + 3*4) // 7 - -T % 5", axes) == tokens * heads * 780 // 7 - -tokens % 5
    assert evaluate("cdiv(T, H) + min(T, H) + max(T, 2)", axes) == -(-tokens // heads) + min(tokens, heads) + max(
        tokens, 2
    )


def test_text_is_compared_or_measured() -> None:
    assert evaluate("(2 if DT == 'bfloat16' else 4) * T", {"DT": "bfloat16", "T": 3}) == 6
    assert evaluate("itemsize(DT) * next_power_of_2(T)", {"DT": "float32", "T": 3}) == 16


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("U + 1", "'U'"),
        ("T.real", "'T.real' is not arithmetic"),
        ("__import__('os')", "'__import__'"),
        ("[T for T in 'x']", "\"[T for T in 'x']\" is not arithmetic"),
        ("T +", "invalid syntax (<unknown>, line 1)"),
        ("T // 0", "integer division or modulo by zero"),
        ("T @ 2", "<class 'ast.MatMult'>"),
    ],
)
def test_anything_else_is_refused(expression: str, why: str) -> None:
    with pytest.raises(HarnessError) as caught:
        evaluate(expression, {"T": 1})
    text = f"workloads.json: cannot evaluate {expression!r} over {{'T': 1}}: {why}; correct the expression"
    assert str(caught.value) == text


def test_constraints_are_python_s() -> None:
    axes: dict[str, Binding] = {"H": 32, "K": 8, "DT": "int8", "S": True}
    assert evaluate("H % K == 0 and (DT in ('int8', 'uint8') or not S)", axes) is True
    assert evaluate("0 < K < H < 32", axes) is False
    assert number("H // K", axes) == 4.0
    assert names_in("H % K == 0 and min(T, 3)") == {"H", "K", "T", "min"}


def test_a_constraint_that_divides_by_nothing_is_not_kept() -> None:
    assert keeps(["N % B == 0", "N > 2"], {"N": 4, "B": 2})
    assert not keeps(["N % B == 0"], {"N": 4, "B": 0})
    assert not keeps(["N % B == 0", "N > 8"], {"N": 4, "B": 2})
    with pytest.raises(HarnessError, match="cannot evaluate 'M > 0'"):
        keeps(["M > 0"], {"N": 4})
