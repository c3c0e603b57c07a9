from __future__ import annotations

from collections.abc import Callable

import pytest

Planted = Callable[[str, str, str], list[str]]


@pytest.mark.parametrize(
    ("operator", "body", "expected"),
    [
        ("swapped_operand", "a = x if n else y\n", ["a = (y) if n else (x)"]),
        ("swapped_operand", "a = x + y\nb = 'v%s' % x\n", []),
        ("lost_scale", "i = tl.program_id(0) * n\nv = tl.load(x + i)\n", []),
        ("lost_scale", "v = x / n\nv *= n\n", ["v = (x)", "pass"]),
        ("missing_cast", "i = x.to(tl.int64)\nj = y.to(y.dtype.element_ty)\n", ["j = (y)"]),
        ("eps_moved", "a = tl.maximum(x, eps)\n", ["a = (x)"]),
        ("eps_moved", "a = 1e-6 + x\nb = x + 0.5\n", ["a = (x)"]),
        ("other_function", "a = tl.max(x, 0)\nb = tl.abs(x)\n", ["a = tl.min(x, 0)"]),
        ("flipped_sign", "v = tl.load(x + n)\nw = v - 1\n", ["w = (v) + (1)"]),
        ("moved_constant", "v = x * 0.25 + 0.0 + 3\n", ["v = x * 0.275 + 0.0 + 3"]),
        ("lost_accumulation", "x += n\nv = tl.load(x)\ns = v\ns += v\n", ["s = v"]),
        ("turned_condition", "if n:\n    x = y\n", ["if not (n):"]),
    ],
)
def test_slips_of_a_kernel(planted: Planted, operator: str, body: str, expected: list[str]) -> None:
    assert planted(operator, "kernel", body) == expected


def test_slips_of_a_launcher(planted: Planted) -> None:
    body = "a = x.contiguous()\nb = torch.empty(n, dtype=torch.float32)\nc = n * 2.5\nd = a.to(b.dtype)\n"
    assert planted("missing_cast", "host", body) == ["a = (x)"]
    assert planted("narrow_accumulator", "host", body) == ["b = torch.empty(n, dtype=torch.float16)"]
    for of_kernels_only in ("lost_scale", "flipped_sign", "moved_constant", "eps_moved"):
        assert planted(of_kernels_only, "host", body) == []


def test_operands_over_several_lines_and_in_brackets_keep_their_meaning(planted: Planted) -> None:
    found = planted("swapped_operand", "kernel", "a = (\n    (x + 1)\n    - n * 2\n)\n")
    assert found == ["((n * 2))\n- (x + 1)"]
