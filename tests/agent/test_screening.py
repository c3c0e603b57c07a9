"""Ranks are asked for once, and read back from what a run noted."""

from __future__ import annotations

from kmaint import wire
from kmaint.agent.screening import Screening, remembered
from kmaint.evaluate import Bench, Screened
from kmaint.records.harness import Harness


def test_what_is_ranked_already_is_not_run_again(harness: Harness, bench: Bench) -> None:
    said: list[str] = []
    known = {
        wire.digest("a"): Screened(ratio=1.5, estimated=True),
        wire.digest("b"): Screened(ratio=1.1, estimated=True),
    }
    screen = Screening(harness=harness, bench=bench, note=lambda kind, _payload: said.append(kind), table=known)
    assert [rank.ratio for rank in screen(["b", "a", "b"])] == [1.1, 1.5, 1.1]
    assert screen([]) == []
    assert said == []


def test_ranks_are_read_back_from_the_notes_and_later_ones_count() -> None:
    first = {"a": {"ratio": 1.5, "estimated": True, "reason": ""}}
    later = {
        "a": {"ratio": 1.2, "estimated": False, "reason": ""},
        "b": {"ratio": None, "estimated": False, "reason": "NaN"},
    }
    assert remembered([first, later]) == {
        "a": Screened(ratio=1.2, estimated=False),
        "b": Screened(ratio=None, estimated=False, reason="NaN"),
    }
