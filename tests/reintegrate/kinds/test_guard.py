"""A guard lets through what won, nothing that lost, and nothing that nobody measured."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kmaint.folder import read_harness
from kmaint.records.harness import Harness
from kmaint.records.workload import Workload
from reintegrate.kinds.guard import Bound, Guard, guard_of, outside
from reintegrate.kinds.win import Declined, Win
from tests.reintegrate.wins import evaluation

CASE = Path(__file__).parents[1] / "cases" / "merge_state"
SIZES = st.tuples(st.sampled_from([1, 64, 768, 4096]), st.sampled_from([8, 32]), st.sampled_from([64, 80, 128]))
RATIOS = st.dictionaries(SIZES, st.sampled_from([0.8, 1.0, 1.3]), min_size=1, max_size=8)


def workloads(harness: Harness, sizes: list[tuple[int, int, int]], dtype: str = "bfloat16") -> Harness:
    made = tuple(
        Workload(
            name=f"T{t}H{h}D{d}",
            axes={"T": t, "H": h, "D": d, "DT": dtype},
            weight=1.0,
            origin="model config",
            source="a test",
        )
        for t, h, d in sizes
    )
    return replace(harness, contract=replace(harness.contract, workloads=made))


def win(ratios: dict[tuple[int, int, int], float]) -> Win:
    harness = workloads(read_harness(CASE), list(ratios))
    named = {f"T{t}H{h}D{d}": ratio for (t, h, d), ratio in ratios.items()}
    return Win(harness=harness, evaluation=evaluation((CASE / "winner.py").read_text(), named))


@settings(deadline=None)
@given(RATIOS)
def test_it_holds_what_won_and_keeps_out_what_did_not(ratios: dict[tuple[int, int, int], float]) -> None:
    one = win(ratios)
    guard = guard_of(one)
    if isinstance(guard, Declined):
        assert not one.won()
        return
    admitted = {workload.name for workload in one.harness.contract.workloads if guard.admits(workload.axes)}
    assert admitted == set(guard.inside)
    assert admitted <= {workload.name for workload in one.won()}
    around = outside(one.harness, guard)
    assert around
    assert not any(guard.admits(axes) for axes in around)


def test_the_heavier_side_of_a_loser_is_kept() -> None:
    guard = guard_of(win({(64, 32, 128): 1.3, (768, 32, 128): 0.9, (1024, 32, 128): 1.2, (4096, 32, 128): 1.2}))
    assert isinstance(guard, Guard)
    assert guard.inside == ("T1024H32D128", "T4096H32D128")
    assert [bound for bound in guard.bounds if bound.axis == "T"] == [Bound(axis="T", low=1024, high=4096)]


def test_rows_of_several_lengths_share_an_alignment() -> None:
    guard = guard_of(win({(64, 32, 64): 1.3, (64, 32, 80): 1.3, (64, 32, 128): 1.3}))
    assert isinstance(guard, Guard)
    assert [bound for bound in guard.bounds if bound.axis == "D"] == [Bound(axis="D", low=64, high=128, multiple=16)]


def test_what_is_no_cuda_architecture_cannot_be_guarded() -> None:
    one = win({(64, 32, 64): 1.3})
    amd = replace(one, evaluation=evaluation(one.source, {"T64H32D64": 1.3}, arch="gfx942"))
    assert guard_of(amd) == Declined("a guard names the CUDA architecture that was measured, and it was timed on none")
