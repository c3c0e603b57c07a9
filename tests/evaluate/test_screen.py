from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.evaluate import Bench, Screened, screen
from kmaint.evaluate.screen import Rough, built_and_timed, timed
from kmaint.folder import read_harness, write_manifest
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
    assert failed == Screened(ratio=None, estimated=True, reason=message, built=False)


def test_what_takes_far_longer_to_compile_than_a_kernel_does_is_left(
    harness: Harness, source: str, bench: Bench
) -> None:
    call = "    merge_state_kernel["
    endless = source.replace(call, f"    import time\n    time.sleep(600)\n{call}")
    hurried = replace(bench, limits_s={**bench.limits_s, "variant": 20.0})
    slow, same = screen(harness, [endless, source], hurried)
    assert slow == Screened(ratio=None, estimated=True, reason="while compiling: no answer within 20 s", built=False)
    assert same.ratio == 1.0


def test_nothing_to_screen(harness: Harness, bench: Bench) -> None:
    assert screen(harness, [], bench) == []


ANSWERS = """\
    import os
    for number in range(3, 64):
        try:
            os.write(number, b'{"event": "done", "item": 0, "value": {"differs": "", "ratios": {"x": 0}}}\\n' * 9)
        except OSError:
            pass
"""


def on_few_rows(harness: Harness, folder: Path) -> Harness:
    """A copy with one workload, of four rows."""
    shutil.copytree(harness.folder, folder)
    kept = tuple(workload for workload in harness.contract.workloads if workload.name == "T4")
    write_manifest(replace(harness, folder=folder, contract=replace(harness.contract, workloads=kept)))
    return read_harness(folder)


def test_variants_are_timed_together_and_one_that_ends_the_process_costs_the_others_nothing(
    harness: Harness, source: str, bench: Bench, tmp_path: Path
) -> None:
    """A dry run of what a GPU does: the interpreter instead of the device, a host's clock instead of its own."""
    call = "    merge_state_kernel["
    assert source.count(call) == 1
    sources = {
        "same": source,
        "slow": source.replace(call, f"    import time\n    time.sleep(0.5)\n{call}"),
        "wrong": source.replace("    return output, output_lse", "    return output + 1, output_lse"),
        "answers": source.replace(call, f"{ANSWERS}{call}"),
        "fails": source.replace(call, f"    raise KeyError('no key')\n{call}"),
        "ends": source.replace(call, f"    import os\n    os._exit(3)\n{call}"),
    }
    small = on_few_rows(harness, tmp_path / "harness")
    files = [tmp_path / f"{name}.py" for name in sources]
    for file, text in zip(files, sources.values(), strict=True):
        file.write_text(text)
    started = time.monotonic()
    found = dict(zip(sources, timed(small, files, bench, tmp_path, Rough(rounds=3, sets=1, clock="wall")), strict=True))
    took_s = time.monotonic() - started
    same, slow = found["same"].ratio, found["slow"].ratio
    assert same is not None
    assert slow is not None
    assert slow < same
    assert found["slow"].least == pytest.approx(slow)  # the only workload's
    assert found["slow"].standing < found["same"].standing
    assert found["wrong"].reason.startswith("T4: ")
    assert found["answers"].ratio is None  # nothing that its process says is believed
    assert replace(found["fails"], seconds=None) == Screened(ratio=None, estimated=False, reason="KeyError: 'no key'")
    assert found["ends"].reason == "its process ended with exit status 3"
    assert sum(one.seconds or 0.0 for one in found.values()) == pytest.approx(took_s, rel=0.02)


def test_what_does_not_build_is_not_taken_to_the_clock(
    harness: Harness, source: str, bench: Bench, tmp_path: Path
) -> None:
    small = on_few_rows(harness, tmp_path / "harness")
    broken = source.replace("tl.maximum(", "tl.maximun(")
    files = [tmp_path / f"{n}.py" for n in range(3)]
    for file, text in zip(files, (source, broken, source), strict=True):
        file.write_text(text)
    first, failed, second = built_and_timed(small, files, bench, tmp_path, Rough(rounds=3, sets=1, clock="wall"))
    assert first.ratio and second.ratio and first.seconds and second.seconds
    assert (failed.ratio, failed.built, failed.seconds) == (None, False, None)
