from pathlib import Path

import torch

from reintegrate.kinds.guard_worker import as_measured, load


def test_a_guard_may_ask_for_dtypes_where_the_kernel_imports_no_torch(tmp_path: Path) -> None:
    file = tmp_path / "patched.py"
    file.write_text("def guard(x):\n    return x.is_cuda and x.dtype == torch.bfloat16\n")
    guard = load(file, "patched_without_torch").guard
    assert guard(as_measured(torch.ones(2, dtype=torch.bfloat16)))
    assert not guard(as_measured(torch.ones(2)))
