"""A race shows when programs run last to first."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kmaint.child import clean_environment
from kmaint.forking.stem import run_with_torch

ROOT = Path(__file__).parents[3]
PROGRAM = """
import json
import torch, triton, triton.language as tl
from runtime.order import reversed_programs
@triton.jit
def own(x):
    tl.store(x + tl.program_id(0) * 2 + tl.program_id(1), tl.program_id(0) * 2 + tl.program_id(1))
@triton.jit
def last(x):
    tl.store(x, tl.program_id(0))
def results():
    x, y = torch.zeros(6, dtype=torch.int32), torch.zeros(1, dtype=torch.int32)
    own[(3, 2)](x)
    last[(3,)](y)
    return x.tolist() + y.tolist()
found = [results()]
with reversed_programs() as possible:
    found.append(results())
found.append(results())
print(json.dumps([possible, *found]))
"""


def test_only_what_depends_on_the_order_changes_with_it(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    finished = run_with_torch(
        [sys.executable, tmp_path / "program.py"],
        timeout_s=120,
        env=clean_environment({"TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT / "extract")}),
    )
    each = [0, 1, 2, 3, 4, 5]
    assert json.loads(finished.stdout) == [True, [*each, 2], [*each, 0], [*each, 2]], finished.stderr
