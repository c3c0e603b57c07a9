"""What the interpreter computes once mended, held against torch; each kernel fails or differs without its mend."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import torch, triton, triton.language as tl
from runtime.interpreter import mend
mend()
exponential, larger = tl.exp, tl.maximum  # as flash-linear-attention has them: taken before any launch

@triton.jit
def aliased(x_ptr, out_ptr, N: tl.constexpr):
    offsets = tl.arange(0, N)
    tl.store(out_ptr + offsets, larger(exponential(tl.load(x_ptr + offsets)), 1.0))

@triton.jit
def dependent(x_ptr, out_ptr, N: tl.constexpr):
    offsets = tl.arange(0, N)
    tl.extra.cuda.gdc_wait()
    x = tl.load(x_ptr + offsets)
    tl.extra.cuda.gdc_launch_dependents()
    tl.store(out_ptr + offsets, 2 * x)

@triton.jit
def counted(x_ptr, out_ptr, rows, N: tl.constexpr):
    offsets = tl.arange(0, N)
    for row in tl.range(0, rows):
        at = row.to(tl.int64) * N + offsets
        tl.store(out_ptr + at, 2 * tl.load(x_ptr + at))

x = torch.randn(32)
out = torch.full_like(x, float("nan"))
aliased[(1,)](x, out, N=32)
torch.testing.assert_close(out, x.exp().clamp_min(1.0))
dependent[(1,)](x, out, N=32)
assert torch.equal(out, 2 * x)
out.fill_(float("nan"))
counted[(1,)](x, out, 4, N=8)
assert torch.equal(out, 2 * x)
print("as on a GPU")
"""


def test_names_taken_from_triton_dependent_launches_and_loop_counts_run(tmp_path: Path) -> None:
    program = tmp_path / "program.py"  # a file: jit reads the source of its functions
    program.write_text(PROGRAM)
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT / "extract")}
    ended = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "as on a GPU\n"), ended.stderr
