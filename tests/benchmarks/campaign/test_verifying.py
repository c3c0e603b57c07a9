import copy
from dataclasses import replace

import pytest

from benchmarks.campaign.recorded import Outcome, Recorded
from benchmarks.campaign.shipping import Against
from benchmarks.campaign.verifying import (
    carried_over,
    compared,
    differing,
    judged,
    over_shipped,
    timed,
    wins,
)
from kmaint.records.evaluation import Evaluation, Passed, Wrong
from kmaint.records.timing import Interval


@pytest.fixture
def winner(merge: Recorded) -> Evaluation:
    assert merge.run.winner is not None
    return merge.run.winner


def passed(evaluation: Evaluation) -> Passed:
    assert isinstance(evaluation.verdict, Passed)
    return evaluation.verdict


def test_every_recorded_win_can_be_named() -> None:
    names = [one.folder for one in wins()]
    assert "sglang-merge-state-kernel" in names
    every = {(one.folder, one.run.provider): one for one in timed()}
    lost = every["sglang-silu-and-mul-cuda", "handoff"]
    assert not lost.won and lost.folder not in names, "nothing won there, and it can be named all the same"


def test_what_won_nothing_must_not_win_now(norm: Recorded) -> None:
    assert norm.best is not None and norm.run.winner is None
    before = passed(norm.best)
    again = judged(norm, norm.best)
    assert again.holds and again.said.endswith("and the intervals overlap")
    won = judged(norm, replace(norm.best, verdict=replace(before, win=True)))
    assert not won.holds and ": a win; recorded as 1.08x" in won.said
    assert carried_over(norm, norm.best.candidate.source) == norm.best.candidate.source


def test_the_original_has_to_be_what_was_recorded(merge: Recorded) -> None:
    then = merge.harness
    assert differing(then, then) == ""
    now = copy.deepcopy(then)
    now["regions"][-1]["sha256"] = "f" * 64
    changed = now["regions"][-1]
    assert differing(then, now).startswith(f"{changed['symbol']} of {changed['path']} is ffffffffffff, was ")
    path = next(iter(then["provenance"]["files"]))
    now["provenance"]["files"][path] = "e" * 64
    assert differing(then, now).startswith(f"{path} is eeeeeeeeeeee, was ")


def test_a_record_without_the_kernel_itself_proves_nothing(merge: Recorded) -> None:
    assert differing({**merge.harness, "regions": []}, merge.harness) == "no region merge_state_kernel in the record"


def test_a_kernel_of_cuda_is_found_by_its_name_without_the_namespace() -> None:
    (found,) = (one for one in wins() if one.folder == "vllm-merge-attn-states-cuda")
    assert found.harness["provenance"]["symbol"] == "vllm::merge_attn_states_kernel"
    assert differing(found.harness, found.harness) == ""


def test_the_winner_is_carried_over_whole(merge: Recorded, winner: Evaluation) -> None:
    assert carried_over(merge, winner.candidate.source) == winner.candidate.source


def test_a_verdict_is_held_against_the_record(merge: Recorded, winner: Evaluation) -> None:
    verdict = passed(winner)
    told = "2.03x (2.03 to 2.03)"
    untimed = replace(winner, verdict=replace(verdict, timing=None, win=False))
    assert judged(merge, untimed) == Outcome(
        holds=True, said=f"right (bit-exact); nothing was timed, there is no GPU; recorded as {told}"
    )
    assert judged(merge, winner) == Outcome(
        holds=True, said=f"right (bit-exact); {told} on NVIDIA H200; recorded as {told}, and the intervals overlap"
    )
    lost = replace(winner, verdict=replace(verdict, win=False))
    assert judged(merge, lost) == Outcome(
        holds=False, said=f"right (bit-exact); {told} on NVIDIA H200: no win; recorded as {told}"
    )
    wrong = replace(winner, verdict=Wrong(reason="T64: differs", codes=("mismatch",)))
    assert judged(merge, wrong) == Outcome(holds=False, said="wrong: T64: differs")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Interval(ratio=2.01, low=1.99, high=2.03), ", and the intervals overlap"),
        (Interval(ratio=1.94, low=1.93, high=1.95), ", 3.0% less"),
        (Interval(ratio=2.20, low=2.19, high=2.21), ", 10.0% more, which is far"),
    ],
)
def test_a_ratio_is_held_against_the_recorded_one(now: Interval, said: str) -> None:
    assert compared(Interval(ratio=2.0, low=1.98, high=2.02), now) == f"recorded as 2.00x (1.98 to 2.02){said}"


def test_a_win_over_what_serving_runs_has_to_be_one_again(merge: Recorded) -> None:
    timing = merge.timing
    assert timing is not None
    found, right = replace(merge, shipped=Against(timing=timing)), Outcome(holds=True, said="right")
    again = over_shipped(found, right, Against(timing=timing))
    assert again.holds
    assert again.said.startswith("right; over sgl_kernel.merge_state_v2 (CUDA C++): 2.03x (2.03 to 2.03), recorded as")
    even = replace(timing, speedup=Interval(ratio=1.0, low=0.99, high=1.01))
    assert not over_shipped(found, right, Against(timing=even)).holds
    assert over_shipped(found, right, Against(reason="there was no GPU")) == Outcome(
        holds=True, said="right; over sgl_kernel.merge_state_v2 (CUDA C++): there was no GPU"
    )
    assert not over_shipped(found, right, Against(reason="wrong: T64: another result")).holds
    lost = replace(found, shipped=Against(timing=even))
    assert over_shipped(lost, right, Against(timing=even)).holds, "nothing was said to be won"
