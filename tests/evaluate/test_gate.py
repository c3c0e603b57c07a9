from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.evaluate import Bench, baseline, check
from kmaint.evaluate.climbing import TO_SPARE, Climb
from kmaint.evaluate.gate import profile_rung
from kmaint.evaluate.rungs.counters import REFUSED
from kmaint.evaluate.rungs.facts import Built
from kmaint.evaluate.timing.measuring import Measured
from kmaint.records.evaluation import Candidate, NotBuilt, Passed, Plan, Wrong
from kmaint.records.harness import Harness
from kmaint.records.timing import Interval, Timing, WorkloadTiming
from tests.standing_in import ncu

SUM = "out = p_out * p_scale + s_out * s_scale"
WRONG = "out = (p_out * p_scale + s_out * s_scale) * 1.1"
"""The whole of it: with the second part alone off, it may look like a shorter mantissa where that part is small."""
FINITE = f"{SUM}\n    out = tl.where(out > 1e6, 1e6, out)"
"""Wrong where a result is infinite, which the suite alone asks for."""


def test_the_original_passes_bit_exact(
    harness: Harness, source: str, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    found = check(harness, propose(source), bench)
    names = ["lint", "compile", "integrity", "interpreter", "numerics", "profile"]
    assert [rung.name for rung in found.rungs] == names
    assert all(rung.passed for rung in found.rungs)
    verdict = found.verdict
    assert isinstance(verdict, Passed)
    assert (verdict.numerics.kind, verdict.numerics.max_difference, verdict.numerics.oracle) == ("bit-exact", 0.0, True)
    assert verdict.numerics.original_error == verdict.numerics.candidate_error
    assert (verdict.timing, verdict.win, verdict.profile.estimated) == (None, False, True)
    assert verdict.profile == baseline(harness, bench)
    assert found.environment.device is None


def test_another_result_is_wrong(
    harness: Harness, source: str, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    found = check(harness, propose(source.replace(SUM, WRONG)), bench)
    assert isinstance(found.verdict, Wrong)
    assert found.verdict.codes == ("mismatch",)
    assert found.rungs[-1].name == "integrity"
    assert "elements differ" in found.verdict.reason


def test_the_first_failing_rung_is_the_last(
    harness: Harness, source: str, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    found = check(harness, propose("def ("), bench)
    assert isinstance(found.verdict, NotBuilt)
    assert found.verdict.reason == "does not parse: line 1: invalid syntax"
    assert [(rung.name, rung.passed) for rung in found.rungs] == [("lint", False)]


@pytest.mark.parametrize(
    ("instead", "kind", "last"),
    [(SUM, "passed", "profile"), (WRONG, "wrong", "integrity"), (FINITE, "wrong", "interpreter")],
    ids=["right", "wrong", "finite"],
)
def test_a_climb_with_processors_to_spare_has_the_verdict_of_one_without(
    harness: Harness,
    source: str,
    bench: Bench,
    propose: Callable[[str], Candidate],
    instead: str,
    kind: str,
    last: str,
) -> None:
    assert SUM in source
    candidate, told = propose(source.replace(SUM, instead)), list[str]()
    wide = check(harness, candidate, replace(bench, threads=TO_SPARE, progress=told.append))
    narrow = check(harness, candidate, replace(bench, threads=1))
    assert "integrity, interpreter, numerics" in told
    assert [(rung.name, rung.passed) for rung in wide.rungs] == [(rung.name, rung.passed) for rung in narrow.rungs]
    assert (wide.verdict.kind, wide.rungs[-1].name) == (narrow.verdict.kind, narrow.rungs[-1].name) == (kind, last)
    assert getattr(wide.verdict, "codes", ()) == getattr(narrow.verdict, "codes", ())


def test_what_a_refusal_ended_leaves_no_files(
    harness: Harness, source: str, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    """Its suites were at work, each with a candidate's process and the files of that."""
    wide, ours = replace(bench, threads=TO_SPARE), f"kmaint-subjects-{os.getpid()}-*"
    found = check(harness, propose(source.replace(SUM, WRONG)), wide)
    assert found.rungs[-1].name == "integrity"
    places = [Path("/dev/shm"), Path(tempfile.gettempdir())]
    until = time.monotonic() + 30
    while left := [path for place in places for path in place.glob(ours)]:
        assert time.monotonic() < until, f"left behind: {left}"
        time.sleep(0.1)


def climbed(small: Harness, bench: Bench, scratch: Path, *, ratio: float) -> Climb:
    """A candidate that was timed to be so much faster, on a machine whose GPU is stood in for."""
    speedup = Interval(ratio=ratio, low=ratio, high=ratio)
    one = WorkloadTiming(
        workload="tiny", weight=1.0, original_us=(ratio,), candidate_us=(1.0,), speedup=speedup, noise=speedup
    )
    plan = Plan(bottleneck="unknown", edit="by hand", why="a test")
    file = small.folder / "kernel.py"
    return Climb(
        small,
        Candidate(id="c", source=file.read_text(), parent=None, plan=plan, provider="test"),
        replace(bench, known={}),
        scratch,
        file,
        built=Built(launches=(), operators=(), left_out=()),
        measured=Measured(timing=Timing(workloads=(one,), speedup=speedup, noise_floor=0.01), clocks_mhz=()),
    )


def test_counters_are_taken_of_a_win_and_of_nothing_else(
    small: Harness, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = ncu(tmp_path / "bin", monkeypatch)
    for ratio in (1.005, 0.5):
        loser = climbed(small, bench, tmp_path, ratio=ratio)
        profile_rung(loser, loser.bench)
        assert loser.profile is not None
        assert loser.profile.counters is None
    assert not calls.exists()
    winner = climbed(small, bench, tmp_path, ratio=1.5)
    rejection, said = profile_rung(winner, winner.bench)
    assert rejection is None
    assert winner.profile is not None
    assert winner.profile.counters is not None
    assert winner.profile.evidence in said
    assert len(calls.read_text().splitlines()) == 1


def test_why_a_win_has_no_counters_is_said(
    small: Harness, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ncu(tmp_path / "bin", monkeypatch)
    winner = climbed(small, bench, tmp_path, ratio=1.5)
    winner.bench.known[REFUSED] = "not here"
    rejection, said = profile_rung(winner, winner.bench)
    assert rejection is None
    assert said.endswith("; no counters: not here")
    assert winner.profile is not None
    assert winner.profile.counters is None
