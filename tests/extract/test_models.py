from __future__ import annotations

import pytest

from extract.models import MODELS, MOST_BYTES, admitted, dimension_of, model_workloads, tried_workloads
from kmaint.records.workload import Argument, Axis, Contract


@pytest.mark.parametrize(
    ("axis", "kind"),
    [
        ("hidden_size", "hidden"),
        ("HEAD_DIM", "head_dim"),
        ("num_kv_heads", "kv_heads"),
        ("num_q_heads", "heads"),
        ("num_experts", "experts"),
        ("topk", "topk"),
        ("num_tokens", "tokens"),
        ("vocab_size", "vocabulary"),
        ("page_size", "page"),
        ("programs_0", None),
    ],
)
def test_names_lead_to_sizes_of_a_model(axis: str, kind: str | None) -> None:
    assert dimension_of(axis) == kind


def contract(**choices: tuple[int, ...]) -> Contract:
    axes = tuple(Axis(name=name, choices=its) for name, its in choices.items())
    x = Argument(name="x", kind="tensor", shape=tuple(choices), dtype="bfloat16")
    return Contract(axes=axes, arguments=(x,), constraints=("hidden % 2 == 0",) if "hidden" in choices else ())


def test_workloads_are_at_sizes_of_models_and_fit() -> None:
    made = contract(num_tokens=(3, 5), hidden=(48, 80))
    found = list(model_workloads(made))
    assert {one.origin for one in found} == {"model config"}
    assert {one.axes["hidden"] for one in found} <= {model.hidden for model in MODELS}
    assert len({one.name for one in found}) == len(found) > 3
    assert all(admitted(made, one.axes) for one in found)
    assert "hidden as hidden" in found[0].source


def test_what_does_not_fit_in_memory_is_left_out() -> None:
    huge = Argument(name="x", kind="tensor", shape=("num_tokens", str(MOST_BYTES // 4096)), dtype="float32")
    made = Contract(axes=(Axis(name="num_tokens", choices=(3, 5)),), arguments=(huge,))
    assert {one.axes["num_tokens"] for one in model_workloads(made)} == {1, 64}


def test_without_a_size_of_a_model_there_is_none() -> None:
    assert not list(model_workloads(contract(programs_0=(3, 5))))


def test_sizes_that_were_tried_are_cases_each_once() -> None:
    found = tried_workloads(contract(programs_0=(3, 5)), [{"programs_0": size} for size in (3, 5, 3)])
    assert [(one.origin, one.axes) for one in found] == [("derived", {"programs_0": 3}), ("derived", {"programs_0": 5})]
    assert [one.name for one in found] == ["programs_03", "programs_05"]
