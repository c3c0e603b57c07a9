"""bfloat16 under the interpreter, held against torch; each kernel fails or differs without the mend."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import torch, triton, triton.language as tl
from runtime.interpreter import mend
mend()

@triton.jit
def short(x_ptr, y_ptr, out_ptr, less_ptr, N: tl.constexpr):
    offsets = tl.arange(0, N)
    x, y = tl.load(x_ptr + offsets), tl.load(y_ptr + offsets)
    tl.store(out_ptr + offsets, tl.maximum(x * y - y, -x) / 3.0)
    tl.store(less_ptr + offsets, x < y)

@triton.jit
def narrow(n_ptr, x_ptr, out_ptr, sum_ptr, N: tl.constexpr):
    offsets = tl.arange(0, N)
    n, x = tl.load(n_ptr + offsets), tl.load(x_ptr + offsets)
    tl.store(out_ptr + offsets, n.to(tl.bfloat16))
    tl.store(out_ptr + N + offsets, (n > 2).to(tl.bfloat16))
    tl.store(out_ptr + 2 * N + offsets, x.to(tl.bfloat16))
    tl.store(sum_ptr, tl.sum(n.to(tl.bfloat16), 0))

n, x = torch.arange(8), torch.randn(8)
out, total = torch.empty(24, dtype=torch.bfloat16), torch.empty(1, dtype=torch.bfloat16)
narrow[(1,)](n, x, out, total, N=8)
assert torch.equal(out, torch.cat([n.bfloat16(), (n > 2).bfloat16(), x.bfloat16()])), out
assert total.item() == 28.0, total

tiny = torch.full((8,), 1e-40).bfloat16()
out, less = torch.empty_like(tiny), torch.empty(8, dtype=torch.bool)
short[(1,)](tiny, torch.zeros_like(tiny), out, less, N=8)
assert not less.any()

x, y = torch.randn(2, 64).bfloat16()
x[:3], y[0] = torch.tensor([float("inf"), 0.0, -0.0]), 2.0
out, less = torch.empty_like(x), torch.empty(64, dtype=torch.bool)
short[(1,)](x, y, out, less, N=64)
torch.testing.assert_close(out, torch.maximum(x * y - y, -x) / 3.0, rtol=2**-7, atol=0.0, equal_nan=True)
assert torch.equal(less, x < y)
print("as on a GPU")
"""


def test_arithmetic_comparisons_casts_and_sums_are_those_of_numbers(tmp_path: Path) -> None:
    program = tmp_path / "program.py"  # a file: jit reads the source of its functions
    program.write_text(PROGRAM)
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT / "extract")}
    ended = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "as on a GPU\n"), ended.stderr
