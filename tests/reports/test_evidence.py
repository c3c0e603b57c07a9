"""What is told of a run: its headline, its endings, and what nobody looked at."""

import shutil
from dataclasses import replace
from pathlib import Path

from kmaint.folder import harness_digest, write_parity
from kmaint.records.change import Landing
from kmaint.records.evaluation import Rung
from kmaint.records.harness import Harness
from kmaint.records.parity import Pace, Parity
from kmaint.records.run import Run
from kmaint.records.timing import Interval
from reports.evidence import (
    climbed,
    diff_of,
    headline,
    ladder_of,
    not_measured,
    parity_line,
    rows,
    standing,
    tally,
    timing_of,
)


def test_a_whole_interval_decides() -> None:
    assert standing(Interval(ratio=1.1, low=1.01, high=1.2)) == "faster"
    assert standing(Interval(ratio=1.1, low=0.99, high=1.2)) == "same"
    assert standing(Interval(ratio=0.9, low=0.8, high=0.99)) == "slower"


def test_headlines(won: Run, no_win: Run, untimed: Run, empty: Run, harness: Harness) -> None:
    told = [headline(run, harness) for run in (won, no_win, untimed, empty, replace(empty, state="running"))]
    assert [(one.outcome, one.title) for one in told] == [
        ("won", "1.138× as fast"),
        ("no_win", "No win: leave it as it is"),
        ("untimed", "Right, but not timed"),
        ("none", "No candidate to propose"),
        ("none", "Still running"),
    ]
    assert told[1].text == (
        "The best of 2 candidates measured 0.998× (0.990–1.004): not enough to change merge_state_kernel. "
        "The original runs at 66 % of the roofline."
    )


def test_every_ending_is_counted(won: Run) -> None:
    assert tally(won) == "2 win, 1 no win, 1 wrong, 1 not built, 1 dishonest, 1 crashed, 1 timed out"
    assert climbed(won.evaluations[4]) == (
        "passed: lint; failed: compile; not reached: interpreter, device, numerics, integrity, time, sanitizer, profile"
    )


def test_a_rung_on_demand_stands_where_it_was_climbed() -> None:
    first, second = (Rung(name=name, passed=True, seconds=1.0) for name in ("compile", "look"))
    assert "look" not in ladder_of([first])
    assert ladder_of([first, second])[:3] == ["lint", "compile", "look"]


def test_workloads_stand_from_small_to_large_with_their_source(won: Run, harness: Harness) -> None:
    timing = timing_of(won.winner)
    assert timing is not None
    backwards = replace(timing, workloads=timing.workloads[::-1])
    found = rows(backwards, harness)
    assert [row.workload for row in found] == ["T64", "T768", "T4096"]
    assert found[0].source == "Llama 3 8B: 32 heads of 128 (model config)"


def test_what_was_not_measured_is_said(won: Run, untimed: Run, harness: Harness) -> None:
    timing = timing_of(won.winner)
    winner = won.winner
    assert timing is not None
    assert winner is not None
    assert winner.verdict.kind == "passed"
    fewer = replace(timing, workloads=(replace(timing.workloads[0], floor_us=None),))
    numerics = replace(winner.verdict.numerics, oracle=False, not_judged=("argument out: float8 in the interpreter",))
    partly = replace(winner, verdict=replace(winner.verdict, timing=fewer, numerics=numerics))
    assert not_measured(replace(won, evaluations=(partly,)), harness) == [
        "Not timed: T768, T4096.",
        "The roofline floor of some workloads is unknown: their least traffic has not been worked out.",
        "Not judged on this machine: argument out: float8 in the interpreter.",
        "No float64 oracle: results were compared with the original's only, not with the truth.",
        "The harness was not held against the shipped op ('kmaint parity' does).",
        "The whole engine was not run: a kernel's gain need not show in serving.",
        "One device: NVIDIA H200. Other architectures were neither run nor timed.",
    ]
    assert not_measured(untimed, harness)[0].startswith("No GPU: nothing here was timed.")
    lost = replace(won, evaluations=won.evaluations[3:], best=None)
    assert not_measured(lost, harness)[0].startswith("No candidate got that far: nothing here was timed.")


def test_parity_is_told_as_far_as_it_went(won: Run, harness: Harness, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(harness.folder, tmp_path / "harness"))
    own = replace(harness, folder=folder)
    assert won.environment is not None
    pace = Pace(workload="T64", ratio=Interval(ratio=1.004, low=1.0, high=1.01))
    holds = Parity(
        state="holds",
        reason="",
        shipped="sglang.kernels.ops.attention.merge_state",
        harness_sha256=harness_digest(folder),
        environment=won.environment,
    )
    told = "It gives the same bits as the shipped op (sglang.kernels.ops.attention.merge_state) on every workload"
    untimed = "The harness gives the shipped op's bits; its speed was not held against it."
    absent = "The harness was not held against the shipped op: no such module."
    for parity, line, gap in (
        (replace(holds, paces=(pace,)), f"{told}, in 1.004 to 1.004 of its time.", None),
        (holds, f"{told}.", untimed),
        (replace(holds, state="not_run", reason="no such module"), "", absent),
    ):
        write_parity(folder, parity)
        assert parity_line(own) == line
        said = [one for one in not_measured(won, own) if "shipped op" in one]
        assert said == ([gap] if gap else [])


def test_the_diff_is_the_landed_one_where_there_is_one(
    won: Run, empty: Run, harness: Harness, landing: Landing
) -> None:
    assert diff_of(won, harness, landing).startswith("diff --git a/sglang/kernels/")
    assert diff_of(won, harness, None).startswith("--- a/kernel.py\n+++ b/kernel.py\n")
    assert diff_of(empty, harness, None) == ""
