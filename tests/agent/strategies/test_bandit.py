"""The bandit: arms of behaviour by kind of edit."""

from __future__ import annotations

from dataclasses import replace

from kmaint.agent.proposal import Parent
from kmaint.agent.strategies.bandit import BANDIT, behaviour, choose
from kmaint.records.evaluation import Profile
from tests.agent.conftest import PROFILE
from tests.agent.strategies.conftest import judged, names, parents

MEASURED = replace(PROFILE, estimated=False)


def original(profile: Profile) -> list[Parent]:
    return [Parent(id=None, source="original", profile=profile, ratio=1.0)]


def kinds(parents_given: list[Parent]) -> list[str]:
    return [kind for turn in choose([], parents_given) for kind in turn.kinds or ()]


def test_before_anything_is_known_the_kinds_that_the_bottleneck_speaks_for_come_first() -> None:
    assert set(kinds(original(replace(PROFILE, bottleneck="latency")))[:3]) == {"launch", "tiling", "access"}
    assert kinds(original(replace(PROFILE, bottleneck="compute")))[0] in {"arithmetic", "passes", "indexing", "tiling"}


def test_what_a_measured_profile_rules_out_is_no_arm() -> None:
    roofline = replace(MEASURED, bottleneck="memory", roofline_fraction=0.9)
    assert set(kinds(original(roofline))) == {"access", "passes"}
    assert len(kinds(original(replace(roofline, estimated=True)))) == 6


def test_a_kind_that_gained_is_pulled_again_and_one_that_failed_is_not() -> None:
    won = judged.passed("a", edit="num_warps", expected=1.5)
    history = [won, judged.wrong("b", edit="tile"), judged.wrong("c", edit="cache hints")]
    first = choose(history, parents(history))[0]
    assert (first.parent.source, first.kinds) == ("a", frozenset({"launch"}))


def test_of_candidates_that_behave_alike_only_the_fastest_is_gone_on_from() -> None:
    history = [judged.passed("a", expected=1.2), judged.passed("b", expected=1.4)]
    assert set(names(choose(history, parents(history)))) == {"b"}


def test_behaviour_is_what_the_profile_says() -> None:
    assert behaviour(PROFILE) == ("latency", 0, 0, 0)
    assert behaviour(replace(PROFILE, roofline_fraction=0.6)) != behaviour(replace(PROFILE, roofline_fraction=0.3))


def test_counters_change_the_arms_of_a_cluster_and_not_who_is_in_it() -> None:
    looked = replace(MEASURED, bottleneck="compute", uncounted="latency", evidence="multiprocessors at 80 %")
    assert behaviour(looked) == behaviour(MEASURED)
    fastest = Parent(id="b", source="b", profile=looked, ratio=1.4)
    turns = choose([], [*original(MEASURED), fastest])
    assert {turn.parent.id for turn in turns} == {"b"}
    assert "access" not in {kind for turn in turns for kind in turn.kinds or ()}


def test_counters_are_taken_of_the_fastest_of_each_cluster() -> None:
    other = replace(PROFILE, bottleneck="occupancy")
    some = [
        *original(PROFILE),
        Parent(id="a", source="a", profile=other, ratio=1.1),
        Parent(id="b", source="b", profile=other, ratio=1.3),
        Parent(id="c", source="c", profile=PROFILE, ratio=0.9),
    ]
    assert [one.id for one in BANDIT.counts(some)] == ["b", None]
