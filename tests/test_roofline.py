"""A kernel is left as it is where every timed workload is near the roofline, as measured; else there may be a gain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kmaint.records.evaluation import Profile
from kmaint.roofline import AT_THE_ROOFLINE, near_the_roofline, to_be_left

NEAR = Profile(
    bottleneck="memory",
    estimated=False,
    resources=(),
    roofline_fraction=0.912,
    next_step="leave it: it runs at 91% of the roofline",
    least_fraction=AT_THE_ROOFLINE,
)


def test_it_is_left_with_its_evidence() -> None:
    assert to_be_left(NEAR) == (
        "the original runs at 91% of the roofline, at 85% on the workload that is furthest from it"
    )


@pytest.mark.parametrize(
    "profile",
    [
        None,
        replace(NEAR, estimated=True),
        replace(NEAR, least_fraction=0.84),
        replace(NEAR, least_fraction=None),  # as in runs from before it was noted
        replace(NEAR, roofline_fraction=None, least_fraction=None),
        replace(NEAR, roofline_fraction=1.5),
        replace(NEAR, roofline_fraction=1.5, least_fraction=1.4),  # more than can be: the floor is wrong
    ],
)
def test_what_is_estimated_or_unknown_or_far_on_one_workload_is_tried(profile: Profile | None) -> None:
    assert to_be_left(profile) == ""


def test_a_share_a_little_above_one_is_the_clock_and_is_left() -> None:
    assert to_be_left(replace(NEAR, roofline_fraction=1.04, least_fraction=1.02)) == (
        "the original runs at 104% of the roofline, at 102% on the workload that is furthest from it"
    )


def test_the_workload_that_is_furthest_says_who_is_near_and_the_mean_where_nobody_noted_it() -> None:
    assert near_the_roofline(NEAR)
    assert near_the_roofline(replace(NEAR, least_fraction=None))
    assert not near_the_roofline(replace(NEAR, least_fraction=0.3))
    assert not near_the_roofline(replace(NEAR, least_fraction=None, roofline_fraction=1.5))
