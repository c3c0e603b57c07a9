"""Figures of merit of the nine runs that an H200 measured, against what can be counted by hand."""

from __future__ import annotations

import itertools
import math
import statistics as plain
from dataclasses import replace

import pytest

from kmaint.learning.spending import spent
from kmaint.learning.statistics import OWN_WORDS, AtK, Fast, Statistics, at_k, kind_of_edit, statistics
from kmaint.records.evaluation import speedup
from tests.learning.conftest import failed, measured_runs, timed, untimed

RUNS = measured_runs()


@pytest.fixture(scope="module")
def found() -> Statistics:
    return statistics([(run, spent(run, [])) for run in RUNS])


def test_what_they_took_for_each_win(found: Statistics) -> None:
    assert (len(found.runs), found.wins, found.spent.candidates) == (9, 6, 19)
    assert found.per_win is not None
    assert found.per_win.candidates == 19 / 6
    assert found.per_win.device_minutes == pytest.approx(found.spent.device_minutes / 6)
    assert (found.per_win.cost_usd, found.per_win.wall_minutes) == (0.0, None)
    assert sum(one.speedup is not None for one in found.runs) == 6


def test_how_far_they_got(found: Statistics) -> None:
    stages = found.funnel
    assert (stages.attempted, stages.built, stages.right, stages.accepted) == (19, 19, 18, 14)
    for groups in (found.providers, found.edits):
        assert sum(group.funnel.attempted for group in groups) == 19
        assert sum(group.funnel.accepted for group in groups) == 14
    assert [group.name for group in found.edits] == ["tile_programs", "launch_parameters", "reciprocal"]


def test_at_k_is_the_mean_over_kernels_of_every_draw(found: Statistics) -> None:
    for one in found.at_k:
        kernels = [run.evaluations for run in RUNS if len(run.evaluations) >= one.k]
        best = [
            plain.fmean(
                max(speedup(e).ratio if getattr(e.verdict, "win", False) else 1.0 for e in drawn)  # type: ignore[union-attr]
                for drawn in itertools.combinations(evaluations, one.k)
            )
            for evaluations in kernels
        ]
        assert one.kernels == len(kernels)
        assert one.speedup == pytest.approx(plain.geometric_mean(best))
        assert one.passed == pytest.approx(
            plain.fmean(
                plain.fmean(
                    any(e.verdict.kind == "passed" for e in drawn)
                    for drawn in itertools.combinations(evaluations, one.k)
                )
                for evaluations in kernels
            )
        )
    assert [one.k for one in found.at_k] == [1, 2]


def test_fast_p_counts_failures_and_kernels_without_a_candidate(found: Statistics) -> None:
    shares = {one.p: one for one in found.fast}
    assert (shares[1.0].candidates, shares[1.0].kernels) == (18 / 19, 6 / 9)
    assert (shares[2.0].candidates, shares[2.0].kernels) == (4 / 19, 3 / 9)
    assert [one.p for one in found.fast] == [1.0, 1.1, 1.25, 1.5, 2.0]


def test_of_no_run_there_is_nothing_to_say() -> None:
    found = statistics([])
    assert (found.runs, found.wins, found.per_win, found.at_k) == ((), 0, None, ())
    assert found.fast[0] == Fast(p=1.0, candidates=None, kernels=None)


def test_without_a_gpu_nothing_is_said_of_speed() -> None:
    machine = untimed().environment
    evaluations = (untimed(), replace(failed("wrong"), environment=machine))
    run = replace(RUNS[0], evaluations=evaluations, environment=machine, best=None)
    found = statistics([(run, spent(run, []))])
    assert found.at_k[0] == AtK(k=1, kernels=1, passed=0.5, accepted=None, speedup=None)
    assert found.fast[0] == Fast(p=1.0, candidates=None, kernels=None)


def test_attempts_at_one_kernel_count_together_whichever_run_they_are_of() -> None:
    (one,) = at_k([("k", timed(2.0, 2.0, 2.0, win=True))])
    assert (one.k, one.kernels) == (1, 1)
    assert one.speedup == pytest.approx(2.0)
    both = at_k([("k", timed(2.0, 2.0, 2.0, win=True)), ("k", failed("wrong"))])
    assert [(one.k, one.kernels) for one in both] == [(1, 1), (2, 1)]
    assert math.isclose(both[0].speedup or 0.0, 1.5)
    assert math.isclose(both[1].speedup or 0.0, 2.0)


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        ("num_warps=4", "num_warps"),
        ("tile_programs", "tile_programs"),
        ("load eight values a thread", OWN_WORDS),
        (" one_pass ", "one_pass"),
    ],
)
def test_kinds_of_edit(edit: str, kind: str) -> None:
    assert kind_of_edit(failed("wrong", edit=edit)) == kind


def test_what_looks_slower_is_no_failure_and_no_success() -> None:
    right, wrong, left = timed(1.4, 1.5, 1.6, win=True), failed("wrong", name="b"), failed("slower", name="c")
    once = at_k([("k", right), ("k", wrong), ("k", left)])[0]
    assert (once.kernels, once.passed) == (1, 0.5)
    (alone,) = at_k([("k", left)])
    assert alone.passed is None
