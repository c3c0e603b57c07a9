"""A benchmark that is ended in between goes on where it was; one of something else begins anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.records.engine import EngineBench, Point
from reintegrate.engine.benching import bench_engine
from reintegrate.engine.session import Setup
from reintegrate.engine.starting import Serving
from tests.reintegrate.engine.conftest import PatchOf

SHORT, LONG = (Point(phase="decode", batch=1, context=context, tokens=3) for context in (4, 8))


class Ended(Exception):
    """Somebody's kill, after the first point."""


@pytest.fixture
def serving(python: Path) -> Serving:
    setup = Setup(engine="vllm", model="a model", arguments={"kv_cache_memory_bytes": 1})
    return Serving(python=python, setup=setup, points=(SHORT, LONG), rounds=2)


def test_points_that_are_there_are_not_measured_again(serving: Serving, patch_of: PatchOf) -> None:
    patch, kept = patch_of("vllm/ops/add.py", "time.sleep(0.01)", "time.sleep(0.001)"), list[EngineBench]()

    def end(found: EngineBench) -> None:
        kept.append(found)
        raise Ended

    with pytest.raises(Ended):
        bench_engine(["a run"], [patch], replace(serving, keep=end))
    (first,) = kept
    assert [one.point for one in first.points] == [SHORT]
    said: list[str] = []
    found = bench_engine(["a run"], [patch], replace(serving, earlier=first, keep=kept.append, progress=said.append))
    assert f"{SHORT.name}: as it was measured before" in said
    assert found.points[0].samples == first.points[0].samples
    assert [one.point for one in found.points] == [SHORT, LONG]
    assert [len(one.points) for one in kept] == [1, 1, 2, 2, 2]
    other = bench_engine(["a run"], [patch], replace(serving, earlier=found, rounds=3))
    assert [len(one.samples["base"]) for one in other.points] == [6, 6]
    renamed = replace(found, arguments={"kv_cache_memory_bytes": 2})
    assert bench_engine(["a run"], [patch], replace(serving, earlier=renamed)).points != found.points
