"""Each candidate's own decode path against float64 and the original, on small contexts, under Triton's interpreter.

python forced.py HARNESS FILE... The suite reaches only contexts for which the candidates keep the shipped
path, so their threshold is lowered here. Errors are fractions of the largest magnitude in a row of the result.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ["TRITON_INTERPRET"] = "1"

import torch

THRESHOLD = "MIN_SPLIT_CONTEXT"
"""Length of the context from which a candidate takes a path of its own."""
SPLIT, SEGMENTS = 16, 16  # as the engine allocates for 8 key-value heads


@dataclass(frozen=True, kw_only=True)
class Case:
    """Lengths of the sequences; None stands for the padding of a captured graph, which has no query."""

    lengths: tuple[int | None, ...]
    kv_heads: int = 2
    group: int = 4
    size: int = 128
    block: int = 16
    dtype: torch.dtype = torch.bfloat16
    longest: int = 0
    """What the launcher is told, where that is more than the lengths: a captured graph is told the model's limit."""
    heads_first: bool = False
    scale: float = 1.0


CASES = (
    *(Case(lengths=(length,)) for length in (1, 15, 16, 17, 63, 64, 65, 127, 129, 255, 257, 300)),
    Case(lengths=(1100,), kv_heads=1),
    Case(lengths=(2600, 33), kv_heads=1),
    Case(lengths=(200, 1, 77), kv_heads=8, group=4),
    Case(lengths=(130, 64, 5), kv_heads=1, group=7, size=64, block=32),
    Case(lengths=(190, 257), group=1, block=64, dtype=torch.float16),
    Case(lengths=(90, 300), group=16, heads_first=True),
    Case(lengths=(90, None, 40, None)),
    Case(lengths=(100, 20), longest=4096),
    Case(lengths=(150, 260), scale=20.0),
    Case(lengths=tuple(range(20, 52, 2)), kv_heads=8),
    Case(lengths=(*range(20, 35), None, 100, 64), kv_heads=1),
)


def arguments(case: Case, seed: int) -> dict[str, Any]:
    """A call of the launcher; blocks are dealt out at random and those past a sequence's end hold NaN."""
    generator = torch.Generator().manual_seed(seed)
    lengths = [length or 0 for length in case.lengths]
    wide = 2 * -(-max(lengths) // 32) if case.block == 16 else -(-max(lengths) // 32)  # whole tiles of 32 keys
    blocks = len(lengths) * wide
    shape = (blocks, case.kv_heads, case.block, case.size) if case.heads_first else None
    shape = shape or (blocks, case.block, case.kv_heads, case.size)
    table = torch.randperm(blocks, generator=generator).view(len(lengths), wide).int()
    caches = []
    for _ in range(2):
        cache = torch.randn(shape, generator=generator).to(case.dtype)
        cache = cache.transpose(1, 2) if case.heads_first else cache
        for row, length in zip(table, lengths, strict=True):
            for at, block in enumerate(row.tolist()):
                cache[block, max(0, length - at * case.block) :] = float("nan")
        caches.append(cache)
    heads = case.kv_heads * case.group
    queries = torch.tensor([0, *(length is not None for length in case.lengths)]).cumsum(0).int()
    scratch = torch.full((SPLIT * heads * SEGMENTS * (case.size + 2),), float("nan"))
    parts = scratch.split([SPLIT * heads * SEGMENTS * n for n in (case.size, 1, 1)])
    tokens = int(queries[-1])
    return {
        "q": (case.scale * torch.randn((tokens, heads, case.size), generator=generator)).to(case.dtype),
        "k": caches[0],
        "v": caches[1],
        "out": torch.full((tokens, heads, case.size), float("nan"), dtype=case.dtype),
        "cu_seqlens_q": queries,
        "max_seqlen_q": 1,
        "seqused_k": torch.tensor(lengths, dtype=torch.int32),
        "max_seqlen_k": max(case.longest, *lengths),
        "softmax_scale": case.size**-0.5,
        "causal": True,
        "window_size": (-1, -1),
        "block_table": table,
        "softcap": 0.0,
        "q_descale": None,
        "k_descale": None,
        "v_descale": None,
        "seq_threshold_3D": SPLIT,
        "num_par_softmax_segments": SEGMENTS,
        "softmax_segm_output": parts[0].view(SPLIT, heads, SEGMENTS, case.size),
        "softmax_segm_max": parts[1].view(SPLIT, heads, SEGMENTS),
        "softmax_segm_expsum": parts[2].view(SPLIT, heads, SEGMENTS),
    }


def truth(reference: ModuleType, given: dict[str, Any]) -> torch.Tensor:
    """The harness's float64 reference, on the sequences that have a query."""
    asked = given["cu_seqlens_q"].diff() > 0
    wide = {name: given[name].double().nan_to_num() for name in ("q", "k", "v")}
    rows = {name: given[name][asked] for name in ("seqused_k", "block_table")}
    found: torch.Tensor = reference.reference(**wide, out=None, softmax_scale=given["softmax_scale"], **rows)[
        "argument out"
    ]
    return found


def answer(module: ModuleType, case: Case, seed: int) -> torch.Tensor:
    """What the launcher of a module writes."""
    given = arguments(case, seed)
    module.unified_attention(**given)
    out: torch.Tensor = given["out"].double()
    return out


def off(want: torch.Tensor, got: torch.Tensor) -> float:
    """Largest difference, as a fraction of its row's largest magnitude."""
    return float(((got - want).abs() / want.abs().amax(-1, keepdim=True)).max())


def module_at(path: Path, name: str) -> ModuleType:
    """A file as a module of its own."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(folder: Path, files: list[Path]) -> int:
    """Prints the errors of each file on each case; 1 if one is beyond twice the original's and a rounding."""
    sys.path.insert(0, str(folder))
    importlib.import_module("runtime.interpreter").mend()
    reference, original = (module_at(folder / f"{name}.py", f"shipped_{name}") for name in ("reference", "kernel"))
    candidates = {file.stem: module_at(file, f"candidate_{file.stem}") for file in files}
    for module in candidates.values():
        setattr(module, THRESHOLD, 0)
    failed = 0
    for seed, case in enumerate(CASES):
        exact = truth(reference, arguments(case, seed))
        shipped = answer(original, case, seed)
        print(case, f"original {off(exact, shipped):.2e}")
        for name, module in candidates.items():
            found = answer(module, case, seed)
            error = off(exact, found)
            good = error <= 2 * off(exact, shipped) + 1e-3
            failed += not good
            same = float((found == shipped).double().mean())
            print(
                f"    {name}: {error:.2e}, {off(shipped, found):.2e} from the original, {same:.0%} of elements equal"
                f"{'' if good else ', WRONG'}",
                flush=True,
            )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
