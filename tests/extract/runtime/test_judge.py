"""What counts as having done the same."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from extract.runtime.judge import (
    WORSE,
    differences,
    error_against,
    other_values,
    own_error,
)
from extract.runtime.outcomes import Leaf, Outcome
from extract.runtime.tolerances import TOLERANCES, row_scale


def returned(x: torch.Tensor, path: str = "return") -> Leaf:
    raw = x.contiguous().reshape(-1).view(torch.uint8)
    return Leaf(path, "tensor", "", str(x.dtype), tuple(x.shape), x.stride(), "", raw)


def argument(x: torch.Tensor, around: int, strides: tuple[int, ...] = (), written: bool = False) -> Leaf:
    """A tensor of float32 with 8 bytes of red zone on each side."""
    strides = strides or x.stride()
    span = 1 + sum((n - 1) * s for n, s in zip(x.shape, strides, strict=True))
    raw = torch.full((8 + 4 * span + 8,), around, dtype=torch.uint8)
    raw[8 : 8 + 4 * span].view(torch.float32).as_strided(x.shape, strides).copy_(x)
    return Leaf("argument x", "tensor", "", str(x.dtype), tuple(x.shape), strides, "", raw, 8, written)


ONE = torch.tensor([[1.0, 2.0, 3.0]])


@pytest.mark.parametrize(
    ("got", "code"),
    [
        (ONE, []),
        (ONE * (1 + 1e-6), []),
        (ONE * 1.001, ["mismatch"]),
        (ONE.double(), ["mismatch"]),
        (ONE.T, ["mismatch"]),
        (ONE.where(ONE < 3, math.nan), ["uninitialised"]),
        (ONE.where(ONE < 3, math.inf), ["mismatch"]),
    ],
    ids=["equal", "rounding", "wrong", "another type", "another shape", "a hole", "an infinity"],
)
def test_values_differ_by_more_than_their_tolerance_or_not(got: torch.Tensor, code: list[str]) -> None:
    found = differences(Outcome([returned(ONE)]), Outcome([returned(got)]))
    assert [one.code for one in found] == code


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_infinity_is_the_code_after_the_largest_number(dtype: torch.dtype) -> None:
    largest = torch.finfo(dtype).max
    want = torch.tensor([largest, math.inf, -largest, 1.0], dtype=dtype)
    for values, code in (
        ([math.inf, largest, -math.inf, 1.0], []),
        ([-math.inf, math.inf, -largest, 1.0], ["mismatch"]),
        ([largest, largest / 2, -largest, 1.0], ["mismatch"]),
        ([largest, math.inf, -largest, math.inf], ["mismatch"]),
    ):
        found = differences(Outcome([returned(want)]), Outcome([returned(torch.tensor(values, dtype=dtype))]))
        assert [one.code for one in found] == code


def test_where_the_original_s_arithmetic_overflows_nothing_is_asked() -> None:
    over, back = ONE.where(ONE < 3, math.inf), ONE.where(ONE < 2, 5.0)
    assert differences(Outcome([returned(over)]), Outcome([returned(ONE)]))
    assert not differences(Outcome([returned(over)]), Outcome([returned(ONE)]), overflows=True)
    assert differences(Outcome([returned(over)]), Outcome([returned(back)]), overflows=True)
    assert differences(Outcome([returned(ONE)]), Outcome([returned(over)]), overflows=True)
    divided = torch.where(torch.arange(len(ONE)) == 0, -0.0, ONE)
    assert not differences(Outcome([returned(divided)]), Outcome([returned(ONE)]), overflows=True)
    assert differences(Outcome([returned(divided)]), Outcome([returned(ONE)]))


def test_values_are_compared_wherever_they_lie_and_whatever_is_around() -> None:
    here, there = Outcome([argument(ONE, 0xA5)]), Outcome([argument(ONE, 0xFF, (6, 2))])
    assert not other_values(here, there, exact=True)
    assert [one.code for one in other_values(here, Outcome([argument(ONE * 2, 0xFF)]))] == ["mismatch"]
    damaged = argument(ONE, 0xFF)
    damaged.raw[3] = 0
    assert [one.code for one in other_values(here, Outcome([damaged]))] == ["wrote_outside"]
    assert other_values(here, Outcome([], error="ValueError: no"))


def test_error_is_a_share_of_the_row_s_scale() -> None:
    truth = torch.tensor([[100.0, 1.0], [1.0, math.inf]], dtype=torch.float64)
    assert error_against(truth, truth + torch.tensor([[1.0], [0.0]])) == pytest.approx(0.01)
    assert error_against(truth, torch.full((2, 2), math.nan)) == math.inf
    assert error_against(torch.empty(0, 2), torch.empty(0, 2)) == 0.0


@given(
    st.sampled_from([(), (5,), (6, 4), (2, 3, 4)]),
    st.integers(0, 1 << 30),
    st.integers(1, 32),
    st.sampled_from([None, math.nan, math.inf]),
)
def test_error_is_the_same_however_much_is_looked_at_at_once(
    shape: tuple[int, ...], seed: int, at_once: int, special: float | None
) -> None:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randn(shape, generator=generator, dtype=torch.float64)
    got = truth + torch.randn(shape, generator=generator, dtype=torch.float64) / 8
    if special is not None:
        got.view(-1)[seed % got.numel()] = special
    whole = error_against(truth, got)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("extract.runtime.judge.IN_CACHE", at_once)
        assert error_against(truth, got) == whole
    assert (whole == math.inf) == (special is not None)


@given(st.sampled_from(list(TOLERANCES)), st.integers(0, 1 << 30), st.integers(1, 6))
def test_what_is_the_same_beside_what_is_wrong_is_not_accused(dtype: torch.dtype, seed: int, wrong: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    want = (torch.rand(6, 32, generator=generator) + 0.5).to(dtype)
    at = torch.randperm(want.numel(), generator=generator)[:wrong]
    got = want.float().clone()
    got.view(-1)[at] += 1.0
    (found,) = differences(Outcome([returned(want)]), Outcome([returned(got.to(dtype))]))
    assert found.text.endswith(f"; {wrong} of {want.numel()} elements differ")


# --- Where the truth is known

DTYPES = st.sampled_from([torch.bfloat16, torch.float16, torch.float32])


@st.composite
def imprecise(draw: st.DrawFn, least: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Generator, float]:
    """A truth in rows of several scales, an original with `least` to 4 times the base tolerance of error, the source of
    more such errors, and their deviation as a share of the row's scale."""
    dtype, rows, columns = draw(DTYPES), draw(st.integers(8, 24)), draw(st.sampled_from([64, 128]))
    noise = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    truth = torch.randn(rows, columns, generator=noise, dtype=torch.float64)
    truth *= 2.0 ** torch.randint(-6, 7, (rows, 1), generator=noise)
    share = draw(st.floats(least, 4)) * TOLERANCES[dtype].absolute / 4
    return truth, near(truth, share, noise).to(dtype), noise, share


def near(truth: torch.Tensor, share: float, noise: torch.Generator) -> torch.Tensor:
    return truth + share * row_scale(truth) * torch.randn(truth.shape, generator=noise, dtype=torch.float64)


def said(truth: torch.Tensor | None, want: torch.Tensor, got: torch.Tensor) -> list[str]:
    """Codes of what is refused; the truth is that of the one output."""
    known = None if truth is None else (lambda _draw=0: {"return": truth})
    return [d.code for d in differences(Outcome([returned(want)]), Outcome([returned(got)]), truth=known)]


def allowed(truth: torch.Tensor, want: torch.Tensor) -> torch.Tensor:
    """The rule as the research states it, elementwise."""
    base, scale = TOLERANCES[want.dtype], row_scale(truth)
    own = WORSE * own_error(truth, want.double(), base) * scale
    return torch.maximum(base.relative * truth.abs() + base.absolute * scale, own)


@given(given=imprecise(least=1))
def test_what_errs_as_the_original_does_is_as_good(
    given: tuple[torch.Tensor, torch.Tensor, torch.Generator, float],
) -> None:
    truth, want, noise, share = given
    assert said(truth, want, near(truth, share, noise).to(want.dtype)) == []


def test_without_the_truth_it_is_refused_for_what_the_original_errs() -> None:
    noise = torch.Generator().manual_seed(0)
    truth = torch.randn(32, 128, generator=noise, dtype=torch.float64)
    want, got = (near(truth, 6e-4, noise).bfloat16() for _ in range(2))
    assert said(None, want, got) == ["mismatch"]
    assert said(truth, want, got) == []


@given(given=imprecise(), at=st.integers(0, 2**16), beyond=st.floats(1.1, 1e3))
def test_one_element_beyond_both_is_refused(
    given: tuple[torch.Tensor, torch.Tensor, torch.Generator, float], at: int, beyond: float
) -> None:
    truth, want, _, _ = given
    at %= truth.numel()
    got = want.clone()
    step = beyond * allowed(truth, want).view(-1)[at]
    got.view(-1)[at] = (truth.view(-1)[at] + step + 2 * step * torch.finfo(want.dtype).eps).to(want.dtype)
    off = (got.double() - truth).abs().view(-1)[at]
    assume(off > allowed(truth, want).view(-1)[at])  # the type may have rounded it back
    if said(None, want, got):
        assert said(truth, want, got) == ["mismatch"]


@given(given=imprecise(), wrong=st.sampled_from([math.nan, math.inf, 8.0]), row=st.integers(0, 7))
def test_a_row_in_which_the_original_is_wrong_excuses_nothing(
    given: tuple[torch.Tensor, torch.Tensor, torch.Generator, float], wrong: float, row: int
) -> None:
    truth, want, _, _ = given
    want = want.clone()
    want[row, 5] = wrong * row_scale(truth)[row, 0]
    right = truth.to(want.dtype)
    assert said(truth, want, want) == []
    assert said(truth, want, right)  # nearer to the truth, and not what the original does
    assert said(truth, want, torch.where(torch.arange(len(want))[:, None] == row, want, right)) == []


@given(given=imprecise(least=1), bad=st.floats(3, 100), rows=st.integers(1, 3))
def test_a_few_bad_rows_lend_nothing_to_the_others(
    given: tuple[torch.Tensor, torch.Tensor, torch.Generator, float], bad: float, rows: int
) -> None:
    truth, want, noise, share = given
    assume(4 * rows <= len(truth))  # three of eight would not be few: the median moves by more than the bound
    base = TOLERANCES[want.dtype]
    spoiled = want.clone()
    spoiled[:rows] = near(truth, bad * share, noise).to(want.dtype)[:rows]
    assert own_error(truth, spoiled.double(), base) <= 2 * own_error(truth, want.double(), base)


@given(given=imprecise())
def test_an_original_that_errs_more_than_its_type_explains_is_no_yardstick(
    given: tuple[torch.Tensor, torch.Tensor, torch.Generator, float],
) -> None:
    truth, want, noise, _ = given
    coarse = near(truth, 2 * TOLERANCES[want.dtype].relative, noise).to(want.dtype)
    assert own_error(truth, coarse.double(), TOLERANCES[want.dtype]) == 0.0
    assert said(truth, coarse, want) == said(None, coarse, want) == ["mismatch"]


@given(dtype=DTYPES, seed=st.integers(0, 2**32 - 1))
def test_an_exact_original_leaves_no_more_room_than_its_type(dtype: torch.dtype, seed: int) -> None:
    truth = torch.randn(16, 64, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert WORSE * own_error(truth, truth.to(dtype).double(), TOLERANCES[dtype]) < TOLERANCES[dtype].absolute


def test_what_is_the_same_asks_for_no_truth_and_an_exact_comparison_never_does() -> None:
    def untold(_draw: int = 0, /) -> dict[str, torch.Tensor]:
        raise AssertionError("asked for the truth")

    near_by = Outcome([returned(ONE * (1 + 1e-6))])
    assert not differences(Outcome([returned(ONE)]), near_by, truth=untold)
    assert differences(Outcome([returned(ONE)]), near_by, exact=True, truth=untold)


@pytest.mark.parametrize(
    "truth",
    [{}, {"return": torch.ones(2, 2)}, {"return": torch.full((1, 3), math.nan)}, {"return": ONE * math.inf}],
    ids=["none", "of another shape", "nan", "infinite"],
)
def test_a_truth_that_says_nothing_excuses_nothing(truth: dict[str, torch.Tensor]) -> None:
    wrong = Outcome([returned(ONE * 1.5)])
    assert [d.code for d in differences(Outcome([returned(ONE)]), wrong, truth=lambda _draw=0: truth)] == ["mismatch"]


def test_a_kernel_that_cannot_be_compiled_says_nothing_of_another() -> None:
    fine, failed = Outcome([returned(torch.ones(2))]), Outcome([], "CompilationError: at 19:12:")
    assert differences(failed, fine) == []
    assert differences(fine, failed)
    assert differences(Outcome([], "CompileTimeAssertionFailure: N is odd"), fine)
    assert differences(Outcome([], "ValueError: N is odd"), fine)
