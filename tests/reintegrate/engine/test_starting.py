"""Engines on their way up: what becomes of the others where one is of no use."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.errors import UsageError
from kmaint.records.engine import Point
from reintegrate.engine.benching import bench_engine
from reintegrate.engine.session import Setup
from reintegrate.engine.starting import Serving
from tests.reintegrate.engine.conftest import PatchOf


@pytest.fixture
def serving(python: Path) -> Serving:
    setup = Setup(engine="vllm", model="a model", arguments={"gpu_memory_utilization": 0.28})
    point = Point(phase="decode", batch=2, context=8, tokens=5)
    return Serving(python=python, setup=setup, points=(point,), rounds=2)


def test_where_one_engine_is_of_no_use_those_that_still_load_are_not_waited_for(
    serving: Serving, patch_of: PatchOf
) -> None:
    """Started side by side, of which the others would take half an hour."""
    slow = Setup(engine="vllm", model="a model", arguments={"kv_cache_memory_bytes": 1, "load_format": "slow"})
    unused = patch_of("vllm/ops/add.py", "    return -a", "    return 0 - a")
    started = time.monotonic()
    with pytest.raises(UsageError, match=r"the engine never comes by vllm/ops/add\.py::unused"):
        bench_engine(["a run"], [unused], replace(serving, setup=slow))
    assert time.monotonic() - started < 120


def test_an_engine_that_does_not_start_says_why(serving: Serving, patch_of: PatchOf) -> None:
    broken = Setup(engine="vllm", model="a model", arguments={"load_format": "broken"})
    patch_file = patch_of("vllm/ops/add.py", "time.sleep(0.01)", "time.sleep(0.001)")
    with pytest.raises(UsageError, match="the counting engine: ValueError: no weights in a model"):
        bench_engine(["a run"], [patch_file], replace(serving, setup=broken))
