"""The simplest threshold that separates winners from losers, on a size that the launcher can ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint import wire
from kmaint.agent.guards import WORST, best_table, sizes
from kmaint.records.evaluation import Passed
from kmaint.records.run import Run
from kmaint.records.workload import Argument, Axis, Contract, Workload

RECORDED = Path(__file__).parents[2] / "benchmarks" / "results" / "2026-11-21-h200" / "sglang-fused-rmsnorm-kernel.json"
TOKENS = (1, 64, 512, 4096)


def contract(*tokens: int) -> Contract:
    return Contract(
        axes=(
            Axis(name="T", low=1, high=9000),
            Axis(name="DT", choices=("bfloat16",)),
            Axis(name="FLAG", choices=(True,)),
        ),
        arguments=(
            Argument(name="maybe", kind="tensor", shape=("T",), when="FLAG"),
            Argument(name="x", kind="tensor", shape=("2*T", "T")),
            Argument(name="flag", kind="value", value="=FLAG"),
        ),
        workloads=tuple(
            Workload(
                name=f"T{T}",
                axes={"T": T, "DT": "bfloat16", "FLAG": True},
                weight=1 / len(tokens),
                origin="derived",
                source="a test",
            )
            for T in tokens
        ),
    )


def ratios(*found: float) -> dict[str, float]:
    return {f"T{T}": ratio for T, ratio in zip(TOKENS, found, strict=True)}


def test_a_size_is_what_a_tensor_that_is_always_there_says_as_it_is() -> None:
    assert sizes(contract(1)) == {"T": "x.shape[1]"}


@pytest.mark.parametrize(
    ("found", "guards"),
    [
        ([ratios(1.5, 1.4, 0.8, 0.7)], {"x.shape[1] <= 64": 0}),
        ([ratios(0.9, 1.0, 1.2, 1.3)], {"x.shape[1] >= 512": 0}),
        ([ratios(0.9, 1.2, 1.3, 0.9)], {"64 <= x.shape[1] <= 512": 0}),
        ([ratios(0.9, 1.2, 0.9, 0.9)], {"x.shape[1] == 64": 0}),
        ([ratios(1.3, 1.3, 0.9, 0.9), ratios(0.9, 0.9, 1.4, 1.4)], {"x.shape[1] <= 64": 0, "x.shape[1] >= 512": 1}),
        ([ratios(1.3, 1.3, 0.9, 0.9), ratios(1.31, 1.2, 0.9, 0.9)], {"x.shape[1] <= 64": 0}),
    ],
)
def test_guards_separate(found: list[dict[str, float]], guards: dict[str, int]) -> None:
    table = best_table(contract(*TOKENS), found)
    assert table is not None
    assert {guard.text: place for guard, place in table.branches} == guards


@pytest.mark.parametrize(
    "found", [[ratios(1.2, 1.2, 1.2, 1.2)], [ratios(0.9, 0.9, 0.9, 0.9)], [ratios(1.001, 0.9, 0.9, 0.9)], []]
)
def test_no_table_where_one_serves_all_or_none_is_worth_it(found: list[dict[str, float]]) -> None:
    assert best_table(contract(*TOKENS), found) is None


@given(
    st.lists(st.tuples(*[st.floats(0.5, 2.0)] * len(TOKENS)), min_size=1, max_size=4).map(
        lambda rows: [ratios(*row) for row in rows]
    )
)
def test_a_table_loses_nowhere_and_says_what_it_gains(found: list[dict[str, float]]) -> None:
    table = best_table(contract(*TOKENS), found)
    if table is not None:
        served = 1.0
        for tokens in TOKENS:
            holding = [place for guard, place in table.branches if guard.holds(tokens)]
            assert len(holding) <= 1
            ratio = found[holding[0]][f"T{tokens}"] if holding else 1.0
            assert ratio >= WORST
            served *= ratio ** (1 / len(TOKENS))
        assert table.expected == pytest.approx(served) and table.expected > 1.0


def test_a_recorded_run_without_a_win_has_a_table() -> None:
    """SGLang's RMS norm on an H200: three candidates that win from 1,024 rows on and lose at 64."""
    recorded = json.loads(RECORDED.read_text())
    run = wire.load(Run, recorded["run"])
    passed = [one.verdict for one in run.evaluations if isinstance(one.verdict, Passed)]
    assert not any(verdict.win for verdict in passed)
    found = [{w.workload: w.speedup.ratio for w in one.timing.workloads} for one in passed if one.timing]
    table = best_table(wire.load(Contract, recorded["harness"]["contract"]), found)
    assert table is not None
    assert {guard.text: place for guard, place in table.branches} == {"x.shape[0] >= 1024": 2}
    assert table.expected == pytest.approx(1.117, abs=1e-3)
