"""What a case does not decide is nobody's to tell; what it decides is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from extract.runtime.judge import differences
from extract.runtime.outcomes import Leaf, Outcome
from extract.runtime.tolerances import TOLERANCES
from extract.runtime.truth import FARTHER_DRAWS, TELLING_DRAWS, Truth, kept, moved, undecided

BASE = TOLERANCES[torch.float32]


def returned(value: torch.Tensor) -> Leaf:
    raw = value.contiguous().view(-1).view(torch.uint8)
    return Leaf(
        path="return",
        kind="tensor",
        dtype=str(value.dtype),
        shape=tuple(value.shape),
        strides=value.stride(),
        raw=raw,
    )


def truth_of(function: Callable[..., torch.Tensor], **arguments: torch.Tensor) -> Truth:
    return lambda draw=0, /: {"return": function(**moved(arguments, draw))}


def attended(scores: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return torch.softmax(scores, dim=-1) @ values


SCORES = torch.tensor([[1.0e9, 1.0e9 + 8.0], [1.0, 2.0]], dtype=torch.float64)
"""In the first row they lie a few roundings of float32 apart: which of them wins says nothing of a kernel."""
VALUES = torch.tensor([[1.0], [100.0]], dtype=torch.float64)


def test_between_two_scores_that_a_rounding_swaps_either_value_may_come_out() -> None:
    truth = truth_of(attended, scores=SCORES, values=VALUES)
    want = truth()["return"].float()
    other, wrong = want.clone(), want.clone()
    other[0], wrong[1] = 1.0, 90.0
    assert undecided(truth, "return", other, BASE).tolist() == [[True], [False]]
    assert differences(Outcome([returned(want)]), Outcome([returned(other)]), truth=truth) == []
    assert differences(Outcome([returned(want)]), Outcome([returned(other)]))
    assert differences(Outcome([returned(want)]), Outcome([returned(wrong)]), truth=truth)


@pytest.mark.parametrize("seed", range(12))
def test_scores_that_seldom_change_places_do_so_in_the_end(seed: int) -> None:
    """At 80 million float32 has every eighth number: a gap of 30 is moved away by one draw of thirty or so."""
    values = torch.randn(64, 128, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    scores = torch.full((40, 64), 7.93e7, dtype=torch.float64) - 1000.0
    scores[:, 0], scores[:, 1] = 7.93e7, 7.93e7 - 1000.0
    scores[3, 1] = 7.93e7 - 30.0
    truth = truth_of(attended, scores=scores, values=values)
    want, tolerance = truth()["return"].bfloat16(), TOLERANCES[torch.bfloat16]
    got = want.clone()
    got[3] = torch.lerp(values[0], values[1], 0.02).bfloat16()  # 26 nearer
    asked = got != want
    assert bool(undecided(truth, "return", got, tolerance, asked)[asked].all())
    got[4, 0] = values[1, 0] + 1.0  # a thousand apart
    assert not undecided(truth, "return", got, tolerance, got != want)[4, 0]


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_what_one_more_draw_comes_to_is_among_what_the_case_may_come_to(seed: int) -> None:
    """A mixture of several values, of which each draw gives another: the next is seldom between those before it."""
    draw = torch.Generator().manual_seed(seed)
    scores = 1.0e9 + 300.0 * torch.rand(16, 64, generator=draw, dtype=torch.float64)
    truth = truth_of(attended, scores=scores, values=torch.randn(64, 128, generator=draw, dtype=torch.float64))
    got = truth(1000)["return"]
    asked = (got - truth()["return"]).abs() > 0.1
    assert asked.float().mean() > 0.2
    assert bool(undecided(truth, "return", got, BASE, asked)[asked].all())


def test_of_many_elements_a_few_may_lie_outside_and_not_more() -> None:
    """Which of two values is heard is chance: what lies a quarter of their distance beyond was never one of them."""
    values = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    truth = truth_of(attended, scores=SCORES[:1].repeat(100, 1), values=values)
    asked = torch.ones((100, 1), dtype=torch.bool)
    draw = truth(1000)["return"]

    def excused(outside: int, at: float) -> bool:
        got = draw.clone()
        got[:outside] = at
        return bool(undecided(truth, "return", got, BASE, asked).all())

    assert [excused(outside, 1.25) for outside in (2, 8, 9, 100)] == [True, True, False, False]
    assert not excused(1, 2.25)


@pytest.mark.parametrize(
    "wrong", [lambda x: -x, lambda x: 2.0 * x, torch.zeros_like], ids=["negated", "doubled", "zero"]
)
def test_a_result_that_is_wrong_all_over_is_not_excused_by_scores_of_a_billion(
    wrong: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    """A row in which few draws decide something leaves others that do not."""
    draw = torch.Generator().manual_seed(7)
    scores = 1.0e9 + 200.0 * torch.randn(64, 32, generator=draw, dtype=torch.float64)
    truth = truth_of(attended, scores=scores, values=torch.rand(32, 64, generator=draw, dtype=torch.float64) + 1.0)
    got = wrong(truth()["return"])
    assert not undecided(truth, "return", got, BASE).all()
    assert differences(Outcome([returned(truth()["return"].float())]), Outcome([returned(got.float())]), truth=truth)


@pytest.mark.parametrize("never", [float("nan"), float("inf"), -777.0, 250.0])
def test_what_no_draw_comes_near_is_wrong_there_too(never: float) -> None:
    truth = truth_of(attended, scores=SCORES, values=VALUES)
    got = truth()["return"].float()
    got[0] = never
    assert not undecided(truth, "return", got, BASE).any()
    assert differences(Outcome([returned(truth()["return"].float())]), Outcome([returned(got)]), truth=truth)


def test_a_softmax_that_overflows_is_not_excused_by_scores_that_are_merely_large() -> None:
    """Scores of a hundred move by more than the tolerance of float32; NaN is none of what they come to."""
    scores = 100.0 + torch.randn(64, 128, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    truth = truth_of(lambda scores: torch.softmax(scores, dim=-1), scores=scores)
    broken = torch.full((64, 128), float("nan"))
    assert undecided(truth, "return", truth()["return"], BASE).any()
    assert not undecided(truth, "return", broken, BASE).any()


@pytest.mark.parametrize(("want", "got"), [(3.0, float("-inf")), (float("-inf"), 3.0)])
def test_at_a_threshold_both_sides_of_it_may_come_out(want: float, got: float) -> None:
    """Whether the truth itself is the number or the infinity."""
    logits = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    least = logits[:, :1] + (1e-9 if want < 0 else -1e-9)
    truth = truth_of(lambda logits: torch.where(logits < least, -torch.inf, logits), logits=logits)
    assert truth()["return"][0, 0] == want
    found = truth()["return"].float()
    found[0, 0] = got
    assert undecided(truth, "return", found, BASE).tolist() == [[True, True]]
    found[0, 1] = 4.01  # beside it in the row, and decided
    assert undecided(truth, "return", found, BASE).tolist() == [[True, False]]
    found[0] = torch.tensor([float("nan"), 4.0])
    assert not undecided(truth, "return", found, BASE)[0, 0]


@given(st.floats(-3.0, 3.0), st.floats(0.02, 10.0))
def test_a_plain_sum_is_decided(at: float, off: float) -> None:
    x = torch.linspace(at, at + 1.0, 32, dtype=torch.float64)[None, :] + 4.0
    asked = []

    def truth(draw: int = 0, /) -> dict[str, torch.Tensor]:
        asked.append(draw)
        return {"return": moved({"x": x}, draw)["x"].sum(-1, keepdim=True)}

    assert not undecided(truth, "return", truth()["return"] * (1.0 + off), BASE).any()
    assert (min(asked), max(asked)) == (-FARTHER_DRAWS, TELLING_DRAWS)


def test_of_another_shape_nothing_is_excused() -> None:
    truth = truth_of(attended, scores=SCORES, values=VALUES)
    assert not undecided(truth, "return", torch.ones(3, 1), BASE).any()


def test_a_case_is_worked_out_once_and_its_draws_are_not_kept() -> None:
    asked = []

    def truth(draw: int = 0, /) -> dict[str, torch.Tensor]:
        asked.append(draw)
        return {"return": torch.ones(1)}

    once = kept(truth)
    for draw in (0, 0, 1, 1, 0):
        once(draw)
    assert asked == [0, 1, 1]
