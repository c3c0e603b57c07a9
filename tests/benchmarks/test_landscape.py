"""A landscape recorded of a real kernel without a GPU, as a replay reads it again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.landscape import kept, one_a_line, record
from benchmarks.replay.worlds import read_world
from kmaint.agent.transforms.catalogue import TRANSFORMS
from kmaint.evaluate import open_bench, warmed
from kmaint.records.evaluation import NotBuilt, Passed, Wrong
from tests.merged import harness_in

FEW = tuple(one for one in TRANSFORMS if one.name in ("exp2_for_exp", "early_loads"))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    harness = harness_in(tmp_path_factory.mktemp("landscape") / "harness")
    with warmed(open_bench(device="none")) as bench:
        content = kept(record(harness, bench, (1, 1, 1), transforms=FEW))
    (file := harness.folder.with_name("landscape.json")).write_text(one_a_line(content))
    return file


def test_every_edit_leads_to_a_node_and_the_original_stands_at_one(recorded: Path) -> None:
    world = read_world(recorded)
    assert world.ratios[world.root] == 1.0
    assert world.baseline.estimated
    assert {edge.edit for edge in world.edges[world.root]} == {one.name for one in FEW}
    assert len(world.verdicts) > 1 + len(FEW)
    assert {edge.child for edges in world.edges.values() for edge in edges} | {world.root} == set(world.verdicts)
    assert all(isinstance(world.verdicts[name], Passed) for name in world.ratios)


def test_what_was_wrong_is_told_from_what_did_not_build(recorded: Path) -> None:
    content = json.loads(recorded.read_text())
    content["nodes"] += [{"ratio": None, "reason": "why", "built": built} for built in (True, False)]
    recorded.with_name("more.json").write_text(json.dumps(content))
    *_, wrong, failed = read_world(recorded.with_name("more.json")).verdicts.values()
    assert (wrong, failed) == (
        Wrong(reason="why", codes=("mismatch",)),
        NotBuilt(reason="why", codes=("compile_error",)),
    )
