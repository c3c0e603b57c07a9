"""Played rungs: what is noted of a climb, and where it ends."""

from __future__ import annotations

from pathlib import Path

from kmaint.evaluate import Bench
from kmaint.evaluate.climbing import Climb, Group, Step, climbed, one_by_one
from kmaint.records.evaluation import Candidate, Plan, Rejection, Wrong
from kmaint.records.harness import Harness

PLAN = Plan(bottleneck="unknown", edit="by hand", why="a test")


def step(rejection: Rejection | None) -> Step:
    return lambda _climb: (rejection, "played")


def test_the_first_rung_that_refuses_is_the_last(harness: Harness, bench: Bench) -> None:
    candidate = Candidate(id="c", source="", parent=None, plan=PLAN, provider="test")
    climb = Climb(harness, candidate, bench, Path("none"), Path("none/candidate.py"))
    wrong = Wrong(reason="a test", codes=("mismatch",))
    together: Group = (("integrity", step(None)), ("numerics", step(wrong)), ("device", step(wrong)))
    assert climbed(climb, [*one_by_one(("lint", step(None))), together, *one_by_one(("time", step(None)))]) is wrong
    noted = [(rung.name, rung.passed, rung.detail) for rung in climb.rungs]
    assert noted == [("lint", True, "played"), ("integrity", True, "played"), ("numerics", False, "played")]
