"""What a user writes of points and arguments, and a run without a patch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.config import load_config
from kmaint.errors import UsageError
from kmaint.records.engine import Point
from kmaint.records.run import Budget, Run
from kmaint.workflow.bench import DEFAULTS, POINTS, Asked, arguments_of, bench, point_of


@given(st.sampled_from(["decode", "prefill"]), st.integers(1, 512), st.integers(1, 1 << 17))
def test_a_point_is_read_as_it_is_named(phase: str, batch: int, context: int) -> None:
    found = point_of(f"{phase}:{batch}x{context}")
    assert found.name == f"{phase} {batch}x{context}"
    assert found.tokens == (64 if phase == "decode" else 1)


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


def test_a_run_without_a_patch_says_how_to_make_one(tmp_path: Path) -> None:
    run = Run(
        id="add-1",
        harness="h",
        kernel="k",
        provider="builtin",
        strategy="lines",
        budget=Budget(),
        state="won",
        created="2026-11-29",
    )
    point = Point(phase="decode", batch=1, context=8, tokens=2)
    asked = Asked(engine="vllm", model="m", points=(point,), arguments=DEFAULTS["vllm"], rounds=2)
    with pytest.raises(
        UsageError, match="run add-1 has no patch; make one with 'kmaint reintegrate add-1 --into TREE'"
    ):
        bench([run], asked, load_config(state=tmp_path), print)
