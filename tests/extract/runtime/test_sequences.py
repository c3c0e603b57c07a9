"""Calls one after another, and what shows only between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from extract.runtime.cases import Case, Contract
from extract.runtime.outcomes import tensor_of
from extract.runtime.sequences import CALLERS, Step, growth, perform_steps

ARGUMENT = {"shape": [], "dtype": "", "bound": "", "layouts": ["contiguous"], "strides": [], "when": "True"}
CONTRACT = Contract(
    axes={"N": {"name": "N", "choices": [], "low": 0, "high": 9, "edges": []}},
    arguments=[
        {**ARGUMENT, "name": "x", "kind": "tensor", "shape": ["N", "4"], "dtype": "float32", "values": "normal"},
        {**ARGUMENT, "name": "eps", "kind": "value", "values": "normal", "value": 1e-6},
    ],
    constraints=[],
    traffic="",
    flops="",
    workloads=[],
)
CASE = Case(N=3, seed=5)
Entry = Callable[..., Any]


def findings(entry: Entry, steps: list[Step]) -> list[str]:
    return [code for outcome in perform_steps(entry, CONTRACT, steps, "cpu") for code, _text in outcome.findings]


def test_an_honest_function_has_no_findings_in_any_step() -> None:
    steps = [
        *(Step(CASE, caller=caller) for caller in CALLERS),
        *(Step(CASE.but(seed=seed), buffers="refilled", guarded=True) for seed in range(3)),
        Step(CASE, buffers="same", edit="x"),
        Step(CASE, buffers="same", other_values=True),
        Step(CASE.but(N=0)),
    ]
    assert findings(lambda x, eps: (x * 2, x.sum() + eps), steps) == []
    assert findings(lambda x, eps: x.mul_(2), steps) == []


def test_the_objects_stay_and_what_they_hold_does_not() -> None:
    seen: list[tuple[int, int, float]] = []

    def entry(x: torch.Tensor, eps: float) -> torch.Tensor:
        seen.append((id(x), x._version, float(x[0, 0])))
        return x * 2

    perform_steps(entry, CONTRACT, [Step(CASE), Step(CASE.but(seed=6), buffers="refilled")], "cpu")
    (first, version, value), (second, later, other) = seen
    assert first == second
    assert version == later  # no counter tells
    assert value != other


@pytest.mark.parametrize(("at", "swap", "changed"), [(1.0, False, 1), (0.4, False, 1), (1.0, True, 2)])
def test_an_edit_changes_one_element_or_swaps_two(at: float, swap: bool, changed: int) -> None:
    steps = [Step(CASE), Step(CASE, buffers="same", edit="x", at=at, swap=swap), Step(CASE, buffers="same")]
    first, second, third = (
        tensor_of(outcome.leaves[0]) for outcome in perform_steps(lambda x, eps: x * 1, CONTRACT, steps, "cpu")
    )
    assert int((first != second).sum()) == changed
    assert torch.equal(first, third)


def test_other_values_reach_what_is_no_tensor() -> None:
    given: list[float] = []
    perform_steps(lambda x, eps: given.append(eps), CONTRACT, [Step(CASE), Step(CASE, other_values=True)], "cpu")
    assert given == [1e-6, 0.25]


def test_a_bad_call_comes_before_the_good_one() -> None:
    given: list[bool] = []

    def entry(x: torch.Tensor | None, eps: float) -> torch.Tensor:
        given.append(x is not None)
        assert x is not None
        return x + eps

    (outcome,) = perform_steps(entry, CONTRACT, [Step(CASE, bad=True)], "cpu")
    assert given == [False, True]
    assert outcome.error == ""


def test_one_buffer_for_all_results() -> None:
    buffer = torch.empty(3, 4)
    assert findings(lambda x, eps: buffer.copy_(x), [Step(CASE), Step(CASE.but(seed=6))]) == ["reused_output"]


def test_a_result_that_changes_after_its_call() -> None:
    kept: list[torch.Tensor] = []

    def entry(x: torch.Tensor, eps: float) -> torch.Tensor:
        for one in kept:
            one.zero_()
        kept.append(x + eps)
        return kept[-1]

    assert findings(entry, [Step(CASE), Step(CASE)]) == ["changed_after_return"]


def test_a_tensor_that_is_none() -> None:
    class Lazy(torch.Tensor):  # type: ignore[misc]  # torch is not read by mypy
        pass

    def shadowed(x: torch.Tensor, eps: float) -> torch.Tensor:
        out = x * 1
        out.cpu = lambda: x
        return out

    assert findings(lambda x, eps: x.as_subclass(Lazy), [Step(CASE)]) == ["lazy_output"]
    assert findings(shadowed, [Step(CASE)]) == ["lazy_output"]
    assert findings(lambda x, eps: x.to_sparse(), [Step(CASE)]) == ["lazy_output"]


def test_new_memory_that_is_no_longer_filled() -> None:
    def entry(x: torch.Tensor, eps: float) -> torch.Tensor:
        torch.use_deterministic_algorithms(False)
        return torch.empty_like(x)

    assert findings(entry, [Step(CASE, guarded=True)]) == ["tampered"]


def test_what_grows_with_each_call() -> None:
    kept: list[torch.Tensor] = []
    plans: dict[int, torch.Tensor] = {}
    cases = [CASE.but(seed=seed) for seed in range(6)]
    first, second, third = growth(lambda x, eps: kept.append(x + eps), CONTRACT, cases, "cpu")
    assert first < second < third
    first, second, third = growth(lambda x, eps: plans.setdefault(x.shape[0], x + eps) * x, CONTRACT, cases, "cpu")
    assert first == second == third
