"""What the judge makes of attention on data with outliers, where rounding decides which keys are heard.

    python -m benchmarks.undecided HARNESS [--seeds N] [--wrong N] [--out FILE]

HARNESS is that of vLLM's kernel_unified_attention. Its decode is computed on the CPU, in float32 with weights rounded
to bfloat16 as the kernel has them, and once more with another order of summation and exp2 for exp: an honest kernel
that rounds otherwise. Then wrong ones are. Each is held against the first as the gate holds a candidate, with the
harness's own reference() as the truth. Scores are as large as 80 million there, of which float32 has every eighth.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from extract.runtime import cases, judge, truth
from extract.runtime.building import build
from extract.runtime.outcomes import Leaf, Outcome
from kmaint.folder import write_text

AXES: dict[str, Any] = {
    "B": 32,
    "L": 1024,
    "M": 131072,
    "KVH": 8,
    "G": 4,
    "SPLIT": 16,
    "D": 128,
    "BS": 16,
    "DT": "bfloat16",
}
TILE, CHUNK = 32, 16
LOG2_E = 1.4426950408889634
Arguments = dict[str, Any]


def decode(given: Arguments, *, backwards: bool = False, exp2: bool = False) -> torch.Tensor:
    """[sequences, heads, size] in bfloat16, by tiles of keys and a running maximum."""
    sequences = range(len(given["seqused_k"]))
    return torch.stack([_attend(given, n, backwards=backwards, exp2=exp2) for n in sequences])


def _attend(given: Arguments, number: int, *, backwards: bool, exp2: bool) -> torch.Tensor:
    """[heads, size] of one sequence; dots are summed by chunks of the head, from the last one where `backwards`."""
    length, block = int(given["seqused_k"][number]), given["k"].shape[1]
    blocks = given["block_table"][number, : math.ceil(length / block)].long()
    keys, values = (given[name][blocks].flatten(0, 1)[:length].float() for name in ("k", "v"))
    query = given["q"][number].unflatten(0, (keys.shape[1], -1)).float()
    dots = torch.zeros(*query.shape[:2], length)
    starts = range(0, query.shape[-1], CHUNK)
    for start in reversed(starts) if backwards else starts:
        part = slice(start, start + CHUNK)
        dots = dots + torch.einsum("hgd,lhd->hgl", query[..., part], keys[..., part])
    scores = dots * torch.tensor(given["softmax_scale"] * (LOG2_E if exp2 else 1.0))
    raised = torch.exp2 if exp2 else torch.exp
    highest = torch.full(scores.shape[:2], -math.inf)
    total, out = torch.zeros(scores.shape[:2]), torch.zeros(query.shape)
    for start in range(0, length, TILE):
        tile = scores[..., start : start + TILE]
        before, highest = highest, torch.maximum(highest, tile.amax(-1))
        weights, kept = raised(tile - highest[..., None]), raised(before - highest)
        total = total * kept + weights.sum(-1)
        heard = torch.einsum("hgl,lhd->hgd", weights.bfloat16().float(), values[start : start + TILE])
        out = out * kept[..., None] + heard
    return (out / total[..., None]).flatten(0, 1).bfloat16()


def wrong_ones(given: Arguments, want: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """Results that no rounding explains, by name."""
    yield "doubled", want * 2
    yield "negated", -want
    yield "zero", want * 0
    yield "5 % too large", (want.float() * 1.05).bfloat16()
    yield "the last key lost", decode({**given, "seqused_k": (given["seqused_k"] - 1).clamp_min(1)})
    yield "the last row another's", torch.cat([want[:-1], want[-2:-1]])
    half = want.shape[-1] // 2
    yield "half of the head twice", torch.cat([want[..., :half], want[..., :half]], dim=-1)


def _returned(value: torch.Tensor) -> Leaf:
    raw = value.contiguous().view(-1).view(torch.uint8)
    shape = tuple(value.shape)
    return Leaf(path="return", kind="tensor", dtype=str(value.dtype), shape=shape, strides=value.stride(), raw=raw)


def judged(want: torch.Tensor, got: torch.Tensor, known: Callable[[int], torch.Tensor]) -> dict[str, Any]:
    """What the gate says of a result, after how many recomputations."""
    asked = Counter[str]()

    def told(draw: int = 0) -> dict[str, torch.Tensor]:
        asked["draws"] += 1
        return {"return": known(draw)}

    started = time.monotonic()
    one, other = (Outcome([_returned(value)]) for value in (want, got))
    found = judge.differences(one, other, truth=told)
    return {
        "apart": bool(judge.differences(one, other)),
        "refused": bool(found),
        "draws": asked["draws"],
        "seconds": round(time.monotonic() - started, 1),
    }


def look(folder: Path, seed: int, *, wrong: bool) -> Iterator[dict[str, Any]]:
    """The honest kernel, or the wrong ones, on the case of that seed."""
    spec = importlib.util.spec_from_file_location("reference", folder / "reference.py")
    assert spec is not None and spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    contract = cases.Contract.read(folder)
    given = build(contract, cases.Case(seed=seed, values="outlier", **AXES), "cpu").arguments
    wide = {
        name: value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for name, value in given.items()
    }

    def known(draw: int) -> torch.Tensor:
        found: torch.Tensor = reference.reference(**truth.moved(wide, draw))["argument out"]
        return found

    want = decode(given)
    results = wrong_ones(given, want) if wrong else [("honest", decode(given, backwards=True, exp2=True))]
    for name, got in results:
        yield {"seed": seed, "what": name, **judged(want, got, known)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harness", type=Path)
    parser.add_argument("--seeds", type=int, default=60, help="cases for the honest kernel")
    parser.add_argument("--wrong", type=int, default=3, help="cases for the wrong ones")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/undecided.json"))
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    for wrong, count in ((False, options.seeds), (True, options.wrong)):
        for seed in range(count):
            for one in look(options.harness, seed, wrong=wrong):
                found.append(one)
                print(*one.values(), flush=True)
    honest = [one for one in found if one["what"] == "honest"]
    others = [one for one in found if one["what"] != "honest"]
    counts = {
        "honest": len(honest),
        "honest, apart from the original": sum(one["apart"] for one in honest),
        "honest, refused": sum(one["refused"] for one in honest),
        "wrong": len(others),
        "wrong, refused": sum(one["refused"] for one in others),
    }
    write_text(options.out, json.dumps({"counts": counts, "looks": found}, indent=1) + "\n")
    print(json.dumps(counts, indent=1))


if __name__ == "__main__":
    main()
