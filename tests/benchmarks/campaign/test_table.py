import re
from dataclasses import replace

import pytest

from benchmarks.campaign.kernels import ROOT, Entry
from benchmarks.campaign.preparing import Prepared
from benchmarks.campaign.recorded import Recorded
from benchmarks.campaign.rows import Row, microseconds
from benchmarks.campaign.shipping import Against
from benchmarks.campaign.summing import headline
from benchmarks.campaign.table import render, write
from kmaint.records.evaluation import Passed
from kmaint.records.timing import Interval

LANDED = "benchmarks/campaign/sglang-merge-state-kernel/win.patch"


def entry_of(found: Recorded, shipped: str = "") -> Entry:
    return Entry(
        id=found.run.kernel, release=found.release, family="norm", hot_path=not shipped, why="", shipped=shipped
    )


def test_the_readme_says_what_was_recorded() -> None:
    assert write(check=True) == 0, "run python -m benchmarks.campaign table"


def test_a_win_over_an_extracted_kernel_is_not_one_over_what_serving_runs(mrope: Recorded, merge: Recorded) -> None:
    rows = [
        Row(entry=entry_of(mrope), runs={"builtin": mrope}),
        Row(entry=entry_of(merge, "another op"), runs={"handoff": merge}),
    ]
    text = render(rows)
    assert "Wins over the op that serving runs: 1 (geometric mean 1.14x), 1 of them on the hot path;" in text
    assert "by `builtin` alone 1 (geometric mean 1.14x)" in text
    assert "runs instead was not timed or not beaten: 1 (geometric mean 2.03x)." in text
    assert "| another op: not timed | 16.5 | not run | 8.1 |" in text
    assert f"**[2.03x (2.03 to 2.03) over extracted]({LANDED})**" in text and (ROOT / LANDED).is_file()


def test_what_was_handed_in_is_told_from_what_was_read_from_a_folder(mrope: Recorded) -> None:
    """And stands beside what an earlier run said of the same winner."""
    handed = replace(mrope, run=replace(mrope.run, provider="handoff"))
    assert mrope.run.environment is not None
    elsewhere = replace(mrope.run.environment, device_uuid="GPU-another")
    scripted = replace(mrope, run=replace(mrope.run, provider="scripted", environment=elsewhere))
    same = render([Row(entry=entry_of(mrope), runs={"handoff": handed}, first=replace(scripted, run=mrope.run))])
    assert "had won in an earlier run" not in same, "that was on the same machine"
    again = render([Row(entry=entry_of(mrope), runs={"handoff": handed}, first=scripted)])
    assert "by candidates that were handed in 1 (geometric mean 1.14x)." in again
    assert "1 of those handed in had won in an earlier run" in again
    assert "the new speedup is 1.00 to 1.00 times\nthat one (geometric mean 1.00)." in again
    alone = render([Row(entry=entry_of(mrope), runs={"handoff": scripted})])
    assert "by candidates that were handed in 0." in alone and "had won in an earlier run" not in alone
    (row,) = (line for line in alone.splitlines() if line.startswith("| `"))
    assert row.count("\u2020") == 1 and "\u2020" not in again.split("Wins over")[0]


def test_the_headline_counts_wins_over_what_serving_runs_alone(mrope: Recorded, merge: Recorded) -> None:
    extracted = Row(entry=entry_of(merge, "another op"), runs={"handoff": merge})
    told = " ".join(headline([Row(entry=entry_of(mrope), runs={"builtin": mrope}), extracted]).split())
    assert "For 1 of 2 operators in its campaign" in told
    assert "1.14x to 1.14x on an H200 under CUDA graphs, the median 1.14x, the geometric mean 1.14x" in told
    assert "1 are kernels that serving itself runs" in told and "1 operators have one from the catalogue alone" in told
    assert headline([extracted]) == "Nothing has been won yet over an operator that serving runs."


def test_a_win_over_the_op_that_serving_runs_is_told_by_that_ratio(merge: Recorded) -> None:
    timing = merge.timing
    assert timing is not None
    against = replace(timing, speedup=Interval(ratio=1.5, low=1.4, high=1.6))
    found = replace(merge, shipped=Against(timing=against))
    text = render([Row(entry=entry_of(merge, "another op"), runs={"handoff": found})])
    assert "Wins over the op that serving runs: 1 (geometric mean 1.50x), 0 of them on the hot path;" in text
    assert "by `builtin` alone 0, by candidates that were handed in 0." in text
    assert f"**[1.50x (1.40 to 1.60)]({LANDED})**; 2.03x over extracted |" in text


def test_of_two_winners_the_one_that_was_timed_against_what_serving_runs_is_shown(merge: Recorded) -> None:
    timing = merge.timing
    assert timing is not None
    against = Against(timing=replace(timing, speedup=Interval(ratio=0.9, low=0.8, high=1.0)))
    beside = replace(merge, shipped=against)
    text = render([Row(entry=entry_of(merge, "another op"), runs={"builtin": merge, "handoff": beside})])
    assert "no win: 0.90x (0.80 to 1.00); 2.03x over extracted; extracted at" in text
    assert "another op: not timed" not in text


def test_a_win_under_graphs_that_loses_when_called_eagerly_is_counted(mrope: Recorded) -> None:
    timing = mrope.timing
    winner = mrope.run.winner
    assert timing is not None and winner is not None and isinstance(winner.verdict, Passed)
    slow = replace(timing.workloads[0], eager=Interval(ratio=0.9, low=0.89, high=0.91))
    even = replace(timing, workloads=tuple(replace(one, eager=one.speedup) for one in timing.workloads))
    slower = replace(timing, workloads=(slow, *even.workloads[1:]))
    for found, count in ((even, 0), (slower, 1)):
        evaluation = replace(winner, verdict=replace(winner.verdict, timing=found))
        run = replace(mrope.run, evaluations=(evaluation,), best=winner.candidate.id)
        text = render([Row(entry=entry_of(mrope), runs={"builtin": replace(mrope, run=run)})])
        assert f"Called without CUDA graphs, {count} of the wins" in text
        assert ("x | 0.90x | " in text) == (count == 1)


def test_a_winner_that_does_not_win_again_is_no_win(mrope: Recorded) -> None:
    winner = mrope.run.winner
    assert winner is not None and isinstance(winner.verdict, Passed)
    again = replace(winner, verdict=replace(winner.verdict, win=False))
    text = render([Row(entry=entry_of(mrope), runs={"builtin": replace(mrope, again=again)})])
    assert "Wins over the op that serving runs: 0, 0 of them" in text
    assert "no win: 1.14x" in text


def test_a_kernel_without_a_win_shows_its_distance_to_the_roofline(norm: Recorded) -> None:
    (line,) = [
        line for line in render([Row(entry=entry_of(norm), runs={"builtin": norm})]).splitlines() if "`" in line
    ][:1]
    assert "no win: 1.08x (1.08 to 1.08); extracted at 0.37 of the roofline | 0.90x" in line
    assert "| 9.0 | 9.0 | no win | not run | 3.3 |" in line, "nothing won, so neither way has a time"


def test_what_was_not_measured_is_named_and_has_no_row(mrope: Recorded) -> None:
    waiting = Row(entry=entry_of(mrope))
    stuck = Row(
        entry=entry_of(mrope),
        prepared=Prepared(id=mrope.run.kernel, release=mrope.release, state="imports", reason="nobody calls it"),
    )
    text = render([waiting, stuck])
    assert text == (
        "Not measured yet, 1 of 2: `_triton_mrope_forward_fused` (sglang 0.5.17).\n\n"
        "Cannot be judged yet, 1 of 2:\n\n- `_triton_mrope_forward_fused` (sglang 0.5.17): nobody calls it"
    )
    assert not re.search(r"\b0\.0|\| 0 \|", text)


def test_a_run_without_a_gpu_is_not_measured(mrope: Recorded) -> None:
    environment = mrope.run.environment
    assert environment is not None
    run = replace(mrope.run, evaluations=(), best=None, environment=replace(environment, device=None))
    text = render([Row(entry=entry_of(mrope), runs={"builtin": replace(mrope, run=run)})])
    assert text == "Not measured yet, 1 of 1: `_triton_mrope_forward_fused` (sglang 0.5.17)."


def test_microseconds_are_a_weighted_mean_and_absent_where_a_floor_is(merge: Recorded) -> None:
    timing = merge.timing
    assert timing is not None
    ratio = (microseconds(timing, "original") or 0.0) / (microseconds(timing, "candidate") or 1.0)
    assert ratio == pytest.approx(timing.speedup.ratio, rel=0.02)
    first, *others = timing.workloads
    assert microseconds(replace(timing, workloads=(replace(first, floor_us=None), *others)), "floor") is None
