"""A played engine, installed in an interpreter of its own, with real patches: measured in turns, in real processes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.errors import UsageError
from kmaint.records.engine import LEGS, Engaged, Point
from reintegrate.engine.benching import bench_engine
from reintegrate.engine.session import Setup
from reintegrate.engine.starting import Serving
from tests.reintegrate.engine.conftest import PatchOf

DECODE = Point(phase="decode", batch=2, context=8, tokens=5)
PREFILL = Point(phase="prefill", batch=1, context=8, tokens=1)


@pytest.fixture
def serving(python: Path) -> Serving:
    setup = Setup(engine="vllm", model="a model", arguments={"gpu_memory_utilization": 0.28})
    return Serving(python=python, setup=setup, points=(DECODE, PREFILL), rounds=3)


@pytest.mark.parametrize("told", ["gpu_memory_utilization", "kv_cache_memory_bytes"], ids=["in turn", "at once"])
def test_a_faster_op_is_seen_in_the_engine_and_nothing_else_differs(
    serving: Serving, patch_of: PatchOf, told: str
) -> None:
    """However the engines are started: with the memory that each may take told, they are side by side."""
    serving = replace(serving, setup=replace(serving.setup, arguments={told: 1}))
    faster = patch_of("vllm/ops/add.py", "time.sleep(0.01)", "time.sleep(0.001)")
    found = bench_engine(["a run"], [faster], replace(serving, exact=True, accuracy="echo 0.93"))
    assert found.files == ("vllm/ops/add.py",)
    assert found.digests["base"] != found.digests["patched"]
    assert found.engaged == (Engaged(place="vllm/ops/add.py::_add_kernel", count=8),)  # 10 and 1, at powers of two
    assert found.speedup.ratio > 1.5  # it waits a tenth as long
    assert found.points[0].token is not None
    assert found.points[1].token is None
    assert found.points[0].busy_s == {}  # there is no GPU
    assert {leg: len(one) for leg, one in found.points[0].samples.items()} == dict.fromkeys(LEGS, 6)
    assert (found.likeness.holds, found.likeness.identical) == (True, 3)
    assert [(one.leg, one.code, one.said) for one in found.accuracy] == [("base", 0, "0.93"), ("patched", 0, "0.93")]


def test_log_probabilities_are_asked_for_at_every_visit_where_that_is_wanted(
    serving: Serving, patch_of: PatchOf
) -> None:
    asked = replace(serving, points=(DECODE,), rounds=2, setup=replace(serving.setup, logprobs=True))
    found = bench_engine(["a run"], [patch_of("vllm/ops/add.py", "time.sleep(0.01)", "time.sleep(0.001)")], asked)
    assert found.logprobs
    assert found.likeness.holds


def test_other_engines_take_part_in_the_same_rounds(serving: Serving, patch_of: PatchOf) -> None:
    """The base with another argument, and each of two patches alone, of which the engine feels one."""
    faster = patch_of("vllm/ops/add.py", "time.sleep(0.01)", "time.sleep(0.001)")
    unfelt = patch_of("vllm/ops/add.py", "    return -a", "    return 0 - a", name="unfelt.patch")
    serving = replace(serving, points=(DECODE,), beside=(("attention_backend", "SLOW"),), each=True)
    found = bench_engine(["felt", "unfelt"], [faster, unfelt], serving)
    argument, felt, nothing = found.others
    assert (argument.leg, argument.arguments, argument.run) == (
        "attention_backend=SLOW",
        {"attention_backend": "SLOW"},
        "",
    )
    assert [(one.leg, one.run) for one in (felt, nothing)] == [("felt alone", "felt"), ("unfelt alone", "unfelt")]
    assert argument.speedup.ratio < 0.7  # 80 ms a step instead of 20
    assert felt.speedup.ratio > 1.5
    assert 0.7 < nothing.speedup.ratio < 1.4
    (point,) = found.points
    assert {leg: len(one) for leg, one in point.samples.items()} == dict.fromkeys(
        (*LEGS, *(one.leg for one in found.others)), 6
    )
    assert set(point.others) == {one.leg for one in found.others}


def test_an_engine_that_says_something_else_is_seen(serving: Serving, patch_of: PatchOf) -> None:
    wrong = patch_of("vllm/ops/add.py", "    return a + b", "    return a + b + 7")
    found = bench_engine(["a run"], [wrong], replace(serving, points=(PREFILL,), rounds=2))
    assert not found.likeness.holds
    assert found.likeness.reason.startswith("sequence 0 differs at token 0, where the base's choice led by ")


def test_a_patch_that_the_engine_never_comes_by_is_not_measured(serving: Serving, patch_of: PatchOf) -> None:
    unused = patch_of("vllm/ops/add.py", "    return -a", "    return 0 - a")
    with pytest.raises(UsageError, match=r"the engine never comes by vllm/ops/add\.py::unused"):
        bench_engine(["a run"], [unused], serving)


def test_a_copy_that_was_not_imported_is_not_measured(serving: Serving, patch_of: PatchOf, python: Path) -> None:
    """As under a finder that puts an editable installation before PYTHONPATH."""
    site = next((python.parents[1] / "lib").glob("python*")) / "site-packages"
    first = site / "first.pth"
    first.write_text(f"import sys; sys.path.insert(0, {str(site)!r})\n")
    try:
        with pytest.raises(UsageError) as caught:
            bench_engine(["a run"], [patch_of("vllm/ops/add.py", "0.01", "0.001")], serving)
    finally:
        first.unlink()
    assert str(caught.value) == (
        f"the counting engine is {site / 'vllm'}, not the copy of it on PYTHONPATH; an editable installation may put "
        "itself first: install vllm as a wheel"
    )


@pytest.mark.parametrize(
    ("command", "why"),
    [("no-such-program --task gsm8k", "no program 'no-such-program'"), ("echo 'x", "No closing quotation")],
)
def test_a_command_that_cannot_be_started_is_refused_before_anything_is_measured(
    serving: Serving, patch_of: PatchOf, command: str, why: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--accuracy {command!r}: {why}")):
        bench_engine(["a run"], [patch_of("vllm/ops/add.py", "0.01", "0.001")], replace(serving, accuracy=command))
