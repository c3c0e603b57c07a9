"""Kinds of edit: told by words, and ruled out by facts only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kmaint.agent.kinds import ADDRESSES, KINDS, MANY_REGISTERS, MEANS, kind_of, ruled_out, why_not
from kmaint.agent.transforms.catalogue import TRANSFORMS
from kmaint.records.evaluation import Resources
from tests.agent.conftest import PROFILE

RESOURCES = Resources(
    kernel="k",
    arch="sm_90",
    registers=32,
    shared_bytes=0,
    spill_bytes=0,
    load_bits=128,
    store_bits=128,
    instructions=100,
    num_warps=4,
    num_stages=3,
    workload="w",
)


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        ("tile_programs", "tiling"),
        ("launch_parameters", "launch"),
        ("one_pass", "passes"),
        ("full_masks", "access"),
        ("reciprocal", "arithmetic"),
        ("grid_mapping", "indexing"),
        ("hoist_invariants", "arithmetic"),
        ("merge_loads", "access"),
        ("exp2_for_exp", "arithmetic"),
        ("index_width", "indexing"),
        ("cache_hints", "access"),
        ("Use eight warps for each program", "launch"),
        ("fuse the two loops into one pass", "passes"),
        ("vectorise the loads", "access"),
        ("something quite different", None),
    ],
)
def test_an_edit_is_told_by_its_words(edit: str, kind: str | None) -> None:
    assert kind_of(edit) == kind


def test_every_transform_is_of_a_kind() -> None:
    assert [transform.name for transform in TRANSFORMS if kind_of(transform.name) is None] == []


def test_every_bottleneck_speaks_for_kinds_that_there_are() -> None:
    assert {kind for kinds in ADDRESSES.values() for kind in kinds} == set(KINDS)


def test_an_estimated_time_rules_nothing_out_and_a_measured_one_does() -> None:
    roofline = replace(PROFILE, bottleneck="memory", roofline_fraction=0.9)
    assert ruled_out(roofline) == {}
    assert set(ruled_out(replace(roofline, estimated=False))) == {"launch", "tiling", "arithmetic", "indexing"}
    assert ruled_out(replace(roofline, estimated=False, roofline_fraction=0.5)) == {}
    assert ruled_out(replace(PROFILE, bottleneck="compute", estimated=False)) == {
        "access": "bound by arithmetic, it does not wait for memory"
    }


@pytest.mark.parametrize("found", [replace(RESOURCES, spill_bytes=8), replace(RESOURCES, registers=MANY_REGISTERS)])
def test_the_compilers_facts_rule_out_larger_tiles(found: Resources) -> None:
    assert ruled_out(replace(PROFILE, resources=(found,))) == {
        "tiling": "it spills or has hardly a register left, so more in one program makes it slower"
    }


FULL = replace(PROFILE, estimated=False, bottleneck="memory", roofline_fraction=0.95)


def test_of_a_kernel_that_is_far_from_the_roofline_on_one_workload_nothing_is_ruled_out() -> None:
    assert "launch" in ruled_out(FULL)
    assert "launch" in ruled_out(replace(FULL, least_fraction=0.9))
    assert ruled_out(replace(FULL, least_fraction=0.3)) == {}
    assert ruled_out(replace(FULL, roofline_fraction=1.5)) == {}, "its floor is wrong"


def test_every_kind_can_be_named_and_only_what_is_named_is_refused() -> None:
    assert set(MEANS) == {*KINDS, "smaller"}
    full = ruled_out(FULL)
    refused = [named for named in MEANS if why_not(named, full)]
    assert refused == ["launch", "tiling", "smaller", "arithmetic", "indexing"]
    assert why_not(None, full) == ""


def test_a_crowded_program_may_be_asked_to_hold_less() -> None:
    crowded = ruled_out(replace(PROFILE, resources=(replace(RESOURCES, spill_bytes=8),)))
    assert why_not("tiling", crowded).startswith("tiling, which the profile rules out: it spills")
    assert why_not("smaller", crowded) == ""
    assert why_not("access", crowded) == ""
    reason = "smaller, which the profile rules out: at the roofline only fewer bytes help"
    assert why_not("smaller", ruled_out(FULL)) == reason
