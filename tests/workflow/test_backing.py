"""What proves what: a file for what a file can prove, an engine for what only an engine can, and of this patch only."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint import folder, wire
from kmaint.errors import UsageError
from kmaint.folder import read_harness
from kmaint.records.engine import Accuracy, Engaged, EngineBench, Likeness, Point, PointResult, Sample
from kmaint.records.pull_request import Backing
from kmaint.records.timing import Interval
from kmaint.workflow.backing import backing_of, benches_with_patch, bring_along
from kmaint.workflow.bench import ENGINE, TOGETHER
from kmaint.workflow.runs import run_folder
from tests.landed import Landed

FASTER, EVEN = Interval(ratio=1.12, low=1.1, high=1.14), Interval(ratio=1.0, low=0.99, high=1.01)
SAMPLE = Sample(seconds=1.0, first_s=0.1, token_s=0.01)
BENCH = EngineBench(
    runs=("merge_state_kernel-1a2b3c4d",),
    engine="sglang",
    version="0.5.17",
    device="NVIDIA H200",
    model="a-model",
    arguments={},
    files=("merge_state.py",),
    digests={},
    points=(
        PointResult(
            point=Point(phase="decode", batch=1, context=4096, tokens=64),
            samples={"base": (SAMPLE,), "patched": (SAMPLE,), "again": (SAMPLE,)},
            throughput=FASTER,
            first_token=EVEN,
            token=None,
            noise=EVEN,
        ),
    ),
    speedup=FASTER,
    noise=EVEN,
    engaged=(Engaged(place="merge_state.py:66", count=128),),
    likeness=Likeness(contract="ties only", sequences=4, identical=4, common_tokens=64.0, worst_nats=0.0, holds=True),
)


def backing(landed: Landed) -> Backing:
    return backing_of(landed.run, read_harness(Path(landed.run.harness)), landed.landing, landed.config)[0]


def kept(landed: Landed, found: EngineBench) -> Path:
    path = run_folder(landed.run, landed.config) / ENGINE
    folder.write_text(path, wire.text(found))
    return path


def test_a_file_proves_a_check_of_this_commit_only(landed: Landed, tmp_path: Path) -> None:
    proof = tmp_path / "gsm8k.txt"
    proof.write_text("x" * 9_000)
    bring_along(landed.run, landed.landing, landed.config, {"accuracy": proof})
    [exhibit] = backing(landed).exhibits
    assert (exhibit.check, exhibit.text[-30:]) == ("accuracy", f"{'x' * 12}\n[cut here: raw data]"[-30:])
    other = replace(landed, landing=replace(landed.landing, commit="0" * 40))
    assert backing(other).exhibits == ()


@pytest.mark.parametrize("check", ["sign_off", "duplicates", "speed"])
def test_no_file_gives_a_persons_word(check: str, landed: Landed, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        bring_along(landed.run, landed.landing, landed.config, {check: tmp_path})
    assert str(error.value) == (
        f"--evidence {check}={tmp_path}: a file proves no such thing; known are linters, framework_tests, accuracy, "
        "engine_benchmark"
    )
    with pytest.raises(UsageError, match="cannot be read"):
        bring_along(landed.run, landed.landing, landed.config, {"accuracy": tmp_path})


def test_an_engine_that_ran_the_patch_proves_the_benchmark(landed: Landed) -> None:
    kept(landed, BENCH)
    [exhibit] = backing(landed).exhibits
    assert exhibit.check == "engine_benchmark"
    assert exhibit.line == (
        "sglang 0.5.17, a-model on NVIDIA H200: 1.120 (1.100 to 1.140) of base's tokens per second over 1 points, "
        "base over base 1.000 (0.990 to 1.010)"
    )
    assert "decode 1x4096" in exhibit.text
    ran = (Accuracy(leg="base", code=0, said="0.91"), Accuracy(leg="patched", code=0, said="0.91"))
    kept(landed, replace(BENCH, accuracy=ran))
    assert backing(landed).proven == {"engine_benchmark", "accuracy"}


def test_an_engine_that_says_nothing_of_this_patch_proves_nothing(landed: Landed) -> None:
    kept(landed, replace(BENCH, engaged=(Engaged(place="merge_state.py:66", count=0),)))
    assert backing(landed).exhibits == ()
    kept(landed, replace(BENCH, likeness=replace(BENCH.likeness, holds=False, reason="they differ")))
    assert backing(landed).exhibits == ()
    path = kept(landed, BENCH)
    mixed = replace(BENCH, runs=(landed.run.id, "another"))
    folder.write_text(run_folder(landed.run, landed.config) / TOGETHER, wire.text(mixed))
    assert list(benches_with_patch(landed.run, landed.config)) == [BENCH, mixed]
    os.utime(path, (0, 0))  # landed again since
    assert list(benches_with_patch(landed.run, landed.config)) == [mixed]
    assert backing(landed).exhibits == ()


def test_an_engine_that_got_slower_keeps_it_back(landed: Landed) -> None:
    kept(landed, replace(BENCH, speedup=Interval(ratio=0.97, low=0.96, high=0.98)))
    assert backing(landed).missing[0] == "the whole engine is slower with it: 0.970 (0.960 to 0.980)"
