"""A guard lets through what won, nothing that lost, and nothing that nobody measured."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kmaint.folder import read_harness
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument, Axis, Workload
from reintegrate.kinds.guard import Bound, Guard, guard_of, on_device, outside
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


def captured(ratios: dict[tuple[int, int], float]) -> Win:
    """Lengths of L in a tensor, of at most M by an argument: a workload and its ratio for each pair of the two."""
    one = win({(length, 32, most): ratio for (length, most), ratio in ratios.items()})
    contract = one.harness.contract
    axes = (*contract.axes, Axis(name="L", low=1, high=64), Axis(name="M", low=1, high=64))
    lengths = Argument(name="lens", kind="tensor", shape=("T",), dtype="int32", values="lengths", bound="L")
    longest = Argument(name="longest", kind="value", value="=M")
    workloads = tuple(
        replace(one, axes={**one.axes, "T": 64, "D": 128, "L": one.axes["T"], "M": one.axes["D"]})
        for one in contract.workloads
    )
    contract = replace(
        contract,
        axes=axes,
        arguments=(*contract.arguments, lengths, longest),
        constraints=("L <= M",),
        workloads=workloads,
    )
    return replace(one, harness=replace(one.harness, contract=contract))


def test_lengths_on_the_device_have_no_side() -> None:
    """A launcher cannot keep out the length on which nothing is gained."""
    one = captured({(256, 4096): 1.0, (4096, 4096): 1.3, (4096, 8192): 1.2})
    assert on_device(one.harness.contract) == {"L": "longest"}
    guard = guard_of(one)
    assert isinstance(guard, Guard)
    assert Bound(axis="M", low=4096, high=8192) in guard.bounds
    assert "L" not in {bound.axis for bound in guard.bounds}
    assert guard.inside == ("T256H32D4096", "T4096H32D4096", "T4096H32D8192")
    around = outside(one.harness, guard)
    assert around
    assert all({"L", "M"} <= axes.keys() and not guard.admits(axes) for axes in around)


def test_a_length_on_the_device_that_loses_keeps_out_all_that_cannot_be_told_from_it() -> None:
    guard = guard_of(captured({(256, 4096): 0.8, (4096, 4096): 1.3, (4096, 8192): 1.2}))
    assert isinstance(guard, Guard)
    assert guard.inside == ("T4096H32D8192",)


def test_a_loss_within_the_noise_keeps_nothing_out_that_gains_beside_it() -> None:
    one = captured({(256, 4096): 0.998, (4096, 4096): 1.3})
    assert one.lost_plainly() == []
    guard = guard_of(one)
    assert isinstance(guard, Guard)
    assert guard.inside == ("T256H32D4096", "T4096H32D4096")


def test_where_nothing_is_gained_at_a_limit_that_is_told_the_guard_keeps_it_out() -> None:
    guard = guard_of(captured({(64, 4096): 1.3, (64, 8192): 1.0, (64, 16384): 1.3}))
    assert isinstance(guard, Guard)
    assert guard.inside in (("T64H32D4096",), ("T64H32D16384",))


def test_a_length_that_is_a_size_too_or_is_bounded_by_a_number_is_seen() -> None:
    contract = captured({(64, 4096): 1.3}).harness.contract
    keys = Argument(name="keys", kind="tensor", shape=("T", "L", "D"), dtype="DT")
    assert on_device(replace(contract, arguments=(*contract.arguments, keys))) == {}
    sixteen = Argument(name="segments", kind="value", value=16)
    assert on_device(replace(contract, arguments=(*contract.arguments, sixteen), constraints=("L <= 16",))) == {}


def test_what_is_no_cuda_architecture_cannot_be_guarded() -> None:
    one = win({(64, 32, 64): 1.3})
    amd = replace(one, evaluation=evaluation(one.source, {"T64H32D64": 1.3}, arch="gfx942"))
    assert guard_of(amd) == Declined("a guard names the CUDA architecture that was measured, and it was timed on none")
