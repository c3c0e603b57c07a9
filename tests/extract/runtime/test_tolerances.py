"""What rounding may do, and what the interpreter's."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from extract.runtime.tolerances import TOLERANCES, alike_but_for_slips, row_scale


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_each_type_is_allowed_a_rounding_and_not_much_more(dtype: torch.dtype) -> None:
    """Of a value itself; beside a larger one in its row it may be off by less than a rounding of that."""
    rounding = torch.finfo(dtype).eps
    assert rounding / 2 < TOLERANCES[dtype].relative
    assert TOLERANCES[dtype].absolute < TOLERANCES[dtype].relative < max(100 * rounding, 1e-11)


def test_the_scale_of_a_row_is_its_largest_finite_magnitude() -> None:
    rows = torch.tensor([[1.0, -3.0, math.inf], [math.nan, 0.5, 0.0], [0.0, 0.0, 0.0]])
    assert row_scale(rows)[:2].flatten().tolist() == [3.0, 0.5]
    assert row_scale(rows)[2].item() == torch.finfo(torch.float32).tiny
    assert row_scale(torch.tensor(-2.0)).item() == 2.0


@pytest.mark.parametrize(
    ("want", "got", "alike"),
    [
        (2.0, 1.0, True),  # of 1.97, whose carry is lost
        (1.0, 1.875, True),  # and its neighbour, of which none is
        (-256.0, -448.0, True),  # of -515
        (448.0, math.nan, True),
        (0.0, 0.0137, True),  # subnormal
        (3.0, 3.25, True),
        (3.0, 1.5, False),
        (2.0, -1.0, False),
        (1.0, 0.0, False),
        (1.0, math.nan, False),
        (0.0, 448.0, False),
        (2.0, 4.5, False),
    ],
)
def test_fp8_of_the_interpreter(want: float, got: float, alike: bool) -> None:
    """What it made of a number, and what torch or another call made of about that number."""
    left, right = (torch.tensor([one]).to(torch.float8_e4m3fn) for one in (want, got))
    assert bool(alike_but_for_slips(left, right)) == bool(alike_but_for_slips(right, left)) == alike


CASTS = """
import torch, triton, triton.language as tl
from runtime.tolerances import INTERPRETER_CANNOT_JUDGE, alike_but_for_slips

@triton.jit
def cast(x_ptr, out_ptr, N: tl.constexpr):
    offsets = tl.arange(0, N)
    tl.store(out_ptr + offsets, tl.load(x_ptr + offsets).to(out_ptr.dtype.element_ty))

def casted(x, dtype):
    out = torch.zeros(N, dtype=dtype)
    cast[(1,)](x, out, N)
    return out

N = 4096
specials = torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0]).repeat(N // 4)
for dtype in INTERPRETER_CANNOT_JUDGE:
    for source in (torch.float32, torch.bfloat16, torch.float16):
        for scale in (1e-5, 2e-3, 1.0, 300.0, 1e5, specials):
            exact = torch.randn(N) * scale
            x, near = exact.to(source), (exact * (1 + 1e-3 * torch.randn(N).clamp(-1, 1))).to(source)
            pairs = [(casted(x, dtype), y.to(dtype)) for y in (x, near)] + [(casted(x, dtype), casted(near, dtype))]
            for left, right in pairs:
                assert alike_but_for_slips(left, right).all(), (dtype, source, scale)
                assert alike_but_for_slips(right, left).all(), (dtype, source, scale)
            if type(scale) is float and 1.0 <= scale <= 300.0:
                assert alike_but_for_slips(casted(x, dtype), torch.zeros_like(left)).float().mean() < 0.05
                assert alike_but_for_slips(casted(x, dtype), (x / 2).to(dtype)).float().mean() < 0.5
"""


def test_what_the_interpreter_makes_of_any_number_is_no_difference(tmp_path: Path) -> None:
    program, path = tmp_path / "casts.py", Path(__file__).parents[3] / "extract"
    program.write_text(CASTS)
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(path)}
    ended = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
