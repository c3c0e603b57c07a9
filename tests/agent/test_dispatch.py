"""A run's measured candidates become one table, once, where it beats each of them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from kmaint.agent.builtin import Builtin
from kmaint.agent.dispatch import DISPATCH, dispatched
from kmaint.agent.proposal import Parent, Request
from kmaint.evaluate import Screened
from kmaint.folder import KERNEL
from kmaint.records.evaluation import Evaluation, Passed
from kmaint.records.harness import Harness
from kmaint.records.timing import Interval, Timing, WorkloadTiming
from tests.agent.conftest import PROFILE, Judged

judged = Judged()


def timed(source: str, ratios: dict[str, float], *, win: bool = False, edit: str = "launch_parameters") -> Evaluation:
    """Passed, with these ratios by workload."""
    intervals = {name: Interval(ratio=ratio, low=ratio, high=ratio) for name, ratio in ratios.items()}
    workloads = tuple(
        WorkloadTiming(
            workload=name,
            weight=1 / len(ratios),
            original_us=(ratio,),
            candidate_us=(1.0,),
            speedup=intervals[name],
            noise=Interval(ratio=1.0, low=1.0, high=1.0),
        )
        for name, ratio in ratios.items()
    )
    product = 1.0
    for ratio in ratios.values():
        product *= ratio ** (1 / len(ratios))
    evaluation = judged.passed(source, edit=edit)
    assert isinstance(evaluation.verdict, Passed)
    timing = Timing(workloads=workloads, speedup=Interval(ratio=product, low=product, high=product), noise_floor=0.01)
    return replace(evaluation, verdict=replace(evaluation.verdict, timing=timing, win=win))


def by_tokens(*ratios: float) -> dict[str, float]:
    return dict(zip(("T64", "T768", "T4096"), ratios, strict=True))


def none(sources: Sequence[str]) -> list[Screened]:
    """Nothing that is screened builds."""
    return [Screened(ratio=None, estimated=True) for _ in sources]


@pytest.fixture
def shipped(harness: Harness) -> str:
    return (harness.folder / KERNEL).read_text()


def request(harness: Harness, shipped: str, *history: Evaluation) -> Request:
    """Of the harness with three workloads of 64, 768 and 4,096 tokens."""
    one = harness.contract.timed[0]
    workloads = tuple(
        replace(one, name=f"T{tokens}", axes={**one.axes, "T": tokens}, weight=1 / 3) for tokens in (64, 768, 4096)
    )
    harness = replace(harness, contract=replace(harness.contract, workloads=workloads))
    parent = Parent(id=None, source=shipped, profile=PROFILE, ratio=1.0)
    return Request(harness=harness, parent=parent, history=history, screen=none)


def with_warps(shipped: str, warps: int) -> str:
    changed = shipped.replace(
        "output_lse is not None,\n    )", f"output_lse is not None,\n        num_warps={warps},\n    )"
    )
    assert changed != shipped
    return changed


def test_a_candidate_that_loses_at_small_sizes_serves_the_large(harness: Harness, shipped: str) -> None:
    one = timed(with_warps(shipped, 1), by_tokens(0.8, 1.4, 1.4))
    proposal = Builtin().propose(request(harness, shipped, one))
    assert proposal is not None and proposal.plan.edit == DISPATCH
    assert proposal.plan.expected == pytest.approx(1.4 ** (2 / 3))
    assert "    large = prefix_output.shape[0] >= 768\n" in proposal.source
    assert "        num_warps=1 if large else 4,\n" in proposal.source
    assert f"launch_parameters ({one.candidate.id}) where prefix_output.shape[0] >= 768" in proposal.plan.why


def test_a_table_is_proposed_once_and_not_made_of_tables(harness: Harness, shipped: str) -> None:
    one = timed(with_warps(shipped, 1), by_tokens(0.8, 1.4, 1.4))
    first = dispatched(request(harness, shipped, one))
    assert first is not None
    table = timed(first.source, by_tokens(1.0, 1.4, 1.4), win=True, edit=DISPATCH)
    assert dispatched(request(harness, shipped, one, table)) is None


def test_no_table_where_one_candidate_is_nearly_as_good_alone(harness: Harness, shipped: str) -> None:
    alone = timed(with_warps(shipped, 2), by_tokens(1.1, 1.4, 1.4), win=True)
    large = timed(with_warps(shipped, 1), by_tokens(0.8, 1.41, 1.41))
    assert dispatched(request(harness, shipped, alone, large)) is None
    assert dispatched(request(harness, shipped)) is None
