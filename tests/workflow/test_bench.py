"""What a user writes of points and arguments, and a run without a patch."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint import folder, wire
from kmaint.config import Config, load_config
from kmaint.errors import UsageError
from kmaint.records.change import Landing
from kmaint.records.engine import Point
from kmaint.records.run import Budget, Run
from kmaint.workflow.bench import POINTS, TOGETHER, Asked, arguments_of, bench, earlier_bench, pairs_of, point_of
from kmaint.workflow.landing import LANDING
from kmaint.workflow.runs import run_folder
from tests.reintegrate.engine.conftest import PatchOf, patch_of, python

__all__ = ["patch_of", "python"]


@given(st.sampled_from(["decode", "prefill"]), st.integers(1, 512), st.integers(1, 1 << 17))
def test_a_point_is_read_as_it_is_named(phase: str, batch: int, context: int) -> None:
    found = point_of(f"{phase}:{batch}x{context}")
    assert found.name == f"{phase} {batch}x{context}"
    assert found.tokens == (128 if phase == "decode" else 1)


@pytest.mark.parametrize("text", ["", "decode", "decode:1", "decode:0x4", "decode:1x", "verify:1x4", "decode:-1x4"])
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        point_of(text)
    assert str(caught.value) == (
        f"{text!r} is no point of an engine; write decode:BATCHxCONTEXT or prefill:BATCHxCONTEXT"
    )


def test_the_default_points_are_points() -> None:
    assert [point_of(text).name for text in POINTS][2] == "decode 1x16384"


def test_arguments_keep_the_kind_that_they_have_in_json() -> None:
    told = ["load_format=dummy", "max_num_seqs=64", "gpu_memory_utilization=0.3", "enforce_eager=true", "a=[1]", "b="]
    assert arguments_of(told) == {
        "load_format": "dummy",
        "max_num_seqs": 64,
        "gpu_memory_utilization": 0.3,
        "enforce_eager": True,
        "a": "[1]",
        "b": "",
    }
    with pytest.raises(UsageError, match=re.escape("'--enforce-eager' sets nothing; write NAME=VALUE")):
        arguments_of(["--enforce-eager"])
    assert arguments_of(["a=1", "a=2", "a=1"]) == {"a": 1}, "the last"


def test_several_values_of_one_argument_are_several_engines() -> None:
    told = ["attention_backend=FLASH_ATTN", "attention_backend=FLASHINFER", "a=1", "attention_backend=FLASH_ATTN"]
    backends = (("attention_backend", "FLASH_ATTN"), ("attention_backend", "FLASHINFER"))
    assert pairs_of(told) == (*backends, ("a", 1))


def won(name: str) -> Run:
    return Run(
        id=name,
        harness="h",
        kernel="k",
        provider="builtin",
        strategy="lines",
        budget=Budget(),
        state="won",
        created="2026-11-29",
    )


def landed_as(run: Run, patch_file: Path, config: Config) -> Run:
    landing = Landing(
        tree=".", branch="b", commit="c" * 40, base="b" * 40, diff="", stat="", patch_file=str(patch_file)
    )
    folder.write_text(run_folder(run, config) / LANDING, wire.text(landing))
    return run


def test_several_runs_are_kept_with_each_and_leave_what_one_alone_did(
    python: Path, patch_of: PatchOf, tmp_path: Path
) -> None:
    config = load_config(state=tmp_path / "state", python=str(python))
    faster = landed_as(won("add-1"), patch_of("vllm/ops/add.py", "0.01", "0.001"), config)
    other = landed_as(won("add-2"), patch_of("vllm/ops/add.py", "return -a", "return 0 - a", name="2.patch"), config)
    point = Point(phase="prefill", batch=1, context=8, tokens=1)
    asked = Asked(engine="vllm", model="m", points=(point,), arguments={}, rounds=2)
    each = dataclasses.replace(asked, each=True, beside=pairs_of(["attention_backend=SLOW"]))
    alone, together = bench([faster], each, config, print), bench([faster, other], each, config, print)
    assert [one.leg for one in alone.others] == ["attention_backend=SLOW"]  # alone already
    assert [one.leg for one in together.others] == ["attention_backend=SLOW", "add-1 alone", "add-2 alone"]
    shares = [one.arguments["gpu_memory_utilization"] for one in (alone, together)]
    assert shares == [0.21, 0.14]  # four engines, and six
    assert earlier_bench(faster, config) == alone
    assert earlier_bench(other, config) is None
    assert earlier_bench(faster, config, TOGETHER) == earlier_bench(other, config, TOGETHER) == together
    assert (together.runs, {one.place: one.count for one in together.engaged}["vllm/ops/add.py::unused"]) == (
        ("add-1", "add-2"),
        0,
    )


def test_a_run_without_a_patch_says_how_to_make_one(tmp_path: Path) -> None:
    run = won("add-1")
    point = Point(phase="decode", batch=1, context=8, tokens=2)
    asked = Asked(engine="vllm", model="m", points=(point,), arguments={}, rounds=2)
    with pytest.raises(
        UsageError, match="run add-1 has no patch; make one with 'kmaint reintegrate add-1 --into TREE'"
    ):
        bench([run], asked, load_config(state=tmp_path), print)
