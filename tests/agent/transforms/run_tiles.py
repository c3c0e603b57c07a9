"""Child of test_tile_programs: variants of a file's launchers against the file, on shapes that Hypothesis draws.

run_tiles.py FILE VARIANTS EXAMPLES     VARIANTS holds LAUNCHER.N.py; TRITON_INTERPRET is set before the import
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

EXACT = {"rtol": 0.0, "atol": 0.0}
REDUCED = {"rtol": 1e-5, "atol": 1e-6}
"""Where a sum is taken in another order."""


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(module: ModuleType, name: str, x: torch.Tensor) -> list[torch.Tensor]:
    """The launcher's results on `x`, and the arguments it works on in place."""
    launcher: Any = getattr(module, name)
    width = x.shape[1]
    match name:
        case "fused_rmsnorm":
            return [launcher(x, torch.linspace(0.5, 2.0, width), 1e-6)]
        case "silu_and_mul_triton":
            return [launcher(torch.cat([x, x.flip(0)], dim=1))[0]]
        case "triton_mrope_fused":
            return mrope(launcher, x)
        case "_per_token_group_quant_8bit_raw":
            return list(launcher(torch.cat([x, x * 3], dim=1).contiguous(), width, dtype=torch.int8))
        case _:
            return [launcher(x)]


def mrope(launcher: Any, x: torch.Tensor) -> list[torch.Tensor]:
    """Three query heads and one key head, of 12 of which 8 turn."""
    rows, head, rotary = x.shape[0], 12, 8
    q, k = x[:, :1].repeat(1, 3 * head) + torch.arange(3.0 * head), x[:, -1:].repeat(1, head) - torch.arange(1.0 * head)
    q, k = q.contiguous(), k.contiguous()
    table = torch.linspace(-1, 1, 20 * rotary).view(20, rotary)
    positions = (torch.arange(3 * rows) * 7 % 20).view(3, rows)
    interleaved, neox = bool(x.shape[1] % 2), bool(x.shape[1] % 3)
    launcher(
        q, k, table, positions, [2, 1, 1], head, rotary, interleaved, False, neox, torch.zeros(8, dtype=torch.int32)
    )
    return [q, k]


def main(file: Path, variants: Path, examples: int) -> None:
    original = load(file)
    changed = [(path.name.split(".")[0], load(path)) for path in sorted(variants.glob("*.py"))]

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(rows=st.integers(0, 11), width=st.integers(1, 21), seed=st.integers(0, 99))
    def check(rows: int, width: int, seed: int) -> None:
        x = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)) * 2
        for name in {name for name, _ in changed}:
            wanted = call(original, name, x)
            close = REDUCED if name == "fused_rmsnorm" else EXACT
            for got in [call(module, name, x) for own, module in changed if own == name]:
                torch.testing.assert_close(got, wanted, equal_nan=True, msg=name, **close)

    check()
    sys.stdout.write(f"{len(changed)} variants agree\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
