from __future__ import annotations

from kmaint.evaluate import Bench, Screened, screen
from kmaint.records.harness import Harness


def test_without_a_gpu_variants_are_ranked_by_an_estimate(harness: Harness, source: str, bench: Bench) -> None:
    wasteful = source.replace("padded_head_size,\n", "64 * padded_head_size,\n")
    broken = source.replace("tl.maximum(", "tl.maximun(")
    same, slow, failed = screen(harness, [source, wasteful, broken], bench)
    assert same == Screened(ratio=1.0, estimated=True)
    assert slow.ratio is not None
    assert slow.ratio < 1.0
    assert slow.estimated
    message = "CompilationError: at 22:14: AttributeError(\"module 'triton.language' has no attribute 'maximun'\")"
    assert failed == Screened(ratio=None, estimated=True, reason=message)


def test_nothing_to_screen(harness: Harness, bench: Bench) -> None:
    assert screen(harness, [], bench) == []
