"""Counters for those that a strategy asks for, once in a run, and never again after a kill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.agent.chain import original
from kmaint.agent.counting import COUNTED, Counting, taken
from kmaint.agent.proposal import Parent
from kmaint.agent.strategies import STRATEGIES
from kmaint.evaluate import Bench
from kmaint.records.harness import Harness
from kmaint.records.workload import Json, Workload
from tests.agent.conftest import PROFILE
from tests.standing_in import ncu

Noted = list[tuple[str, Json]]


def counting_at(harness: Harness, bench: Bench, noted: Noted) -> Counting:
    """As on a machine with a GPU, for which the interpreter stands in on one small workload."""
    tiny = Workload(
        name="tiny", axes={"T": 2, "H": 2, "D": 64, "DT": "float32"}, weight=1.0, origin="derived", source="a test"
    )
    small = replace(harness, contract=replace(harness.contract, workloads=(tiny,)))
    own = replace(bench, device="cuda", known={})
    return Counting(harness=small, bench=own, note=lambda kind, said: noted.append((kind, said)))


def parents_of(source: str) -> list[Parent]:
    one = Parent(id=None, source=source, profile=PROFILE, ratio=1.0)
    return [one, replace(one, id="a", ratio=1.2), replace(one, id="b", ratio=1.4)]


def everyone(parents: Sequence[Parent]) -> list[Parent]:
    return list(parents)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return ncu(tmp_path / "bin", monkeypatch)


def test_only_who_stands_for_a_cluster_is_looked_at_and_once(harness: Harness, bench: Bench, calls: Path) -> None:
    noted: Noted = []
    counting, parents = counting_at(harness, bench, noted), parents_of(original(harness))
    found = counting.at(parents, STRATEGIES["bandit"].counts)
    assert [one.profile.counters is not None for one in found] == [False, False, True]
    assert found[2].profile.uncounted == PROFILE.bottleneck
    assert counting.at(parents, STRATEGIES["bandit"].counts) == found
    assert len(calls.read_text().splitlines()) == 1
    ((kind, said),) = noted
    assert kind == COUNTED
    assert taken([said]) == {"b": found[2].profile}


def test_a_resumed_run_knows_them(harness: Harness, bench: Bench, calls: Path) -> None:
    known = replace(PROFILE, bottleneck="memory", evidence="as before")
    counting = replace(counting_at(harness, bench, []), table={"a": known, "b": known})
    assert [one.profile for one in counting.at(parents_of(""), everyone)] == [PROFILE, known, known]
    assert not calls.exists()


def test_one_that_gives_no_counters_keeps_its_profile_and_is_not_tried_again(
    harness: Harness, bench: Bench, calls: Path
) -> None:
    noted: Noted = []
    counting, (_, broken, _) = counting_at(harness, bench, noted), parents_of("raise RuntimeError\n")
    (found,) = counting.at([broken], everyone)
    assert counting.at([broken], everyone) == [found]
    assert replace(found, profile=replace(found.profile, device_s=None)) == broken
    assert noted == [(COUNTED, {"a": wire.dump(found.profile)})]
    assert (found.profile.device_s or 0.0) > 0.0, "it held the GPU all the same"
    assert len(calls.read_text().splitlines()) == 1


def test_without_a_gpu_and_by_other_strategies_nobody_is_looked_at(harness: Harness, bench: Bench, calls: Path) -> None:
    counting = counting_at(harness, bench, [])
    parents = parents_of(original(harness))
    for strategy in STRATEGIES.values():
        if strategy.name != "bandit":
            assert counting.at(parents, strategy.counts) == parents
    assert replace(counting, bench=bench).at(parents, everyone) == parents
    assert not calls.exists()
