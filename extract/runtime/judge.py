"""Whether two calls did the same: bytes where nothing may differ, a stated tolerance where rounding may.

Copied unchanged into every harness. The reasons behind each tolerance stand beside it; none is chosen after the fact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .contents import once
from .outcomes import Leaf, Outcome, tensor_of
from .tolerances import INTERPRETER_CANNOT_JUDGE, TOLERANCES, Tolerance, alike_but_for_slips, row_scale
from .truth import Truth, kept, undecided

WORSE = 2.0
"""How many times the original's own error against float64 a candidate's error may be."""

LARGEST_BY_TYPICAL = 4 * 1.4826
"""The largest of some ten thousand errors, four standard deviations, by their median: the largest itself may be the
one place where the original is wrong."""
FEWEST = 4
"""Of fewer errors none is typical."""

IN_CACHE = 1 << 17
"""Elements of float64 that a processor's own cache holds: what passes over them several times is four times as fast."""


@dataclass(frozen=True)
class Difference:
    """One way in which two calls differ: a code of the gate, and a sentence."""

    code: str
    text: str


@dataclass(frozen=True)
class _Terms:
    exact: bool
    interpreted: bool
    overflows: bool
    truth: Truth | None


def differences(
    expected: Outcome,
    actual: Outcome,
    *,
    exact: bool = False,
    interpreted: bool = False,
    overflows: bool = False,
    truth: Truth | None = None,
) -> list[Difference]:
    """Every way in which `actual` is not what `expected` was; empty where the calls did the same.

    An argument that the expected call left alone must be left alone to the byte, and so must what lies around each.
    Where the case `overflows`, nothing is asked of elements on which the original's own arithmetic did. Where the
    `truth` is known, an element that is not the original's may be as near to the truth instead, or what a few roundings
    of the arguments may make of it where they make much.
    """
    if expected.error or actual.error:
        return [*_overrun(expected, actual), *_error_differences(expected.error, actual.error)]
    left = {leaf.path: leaf for leaf in expected.leaves}
    right = {leaf.path: leaf for leaf in actual.leaves}
    if left.keys() != right.keys():
        return [Difference("mismatch", f"gives back {sorted(right)} where the original gives back {sorted(left)}")]
    found = _overrun(expected, actual)
    terms = _Terms(exact, interpreted, overflows, kept(truth) if truth and not exact else None)
    for path, leaf in left.items():
        found.extend(_leaf_differences(leaf, right[path], terms))
    return found


def other_values(expected: Outcome, actual: Outcome, *, exact: bool = False) -> list[Difference]:
    """Elements of tensors that differ, wherever in memory they lie and whatever is around them; errors that differ."""
    if expected.error or actual.error:
        return _error_differences(expected.error, actual.error)
    left = {leaf.path: leaf for leaf in expected.leaves if leaf.kind == "tensor"}
    right = {leaf.path: leaf for leaf in actual.leaves if leaf.kind == "tensor"}
    if left.keys() != right.keys():
        return [Difference("mismatch", f"gives back {sorted(right)}, not {sorted(left)}")]
    found: list[Difference] = []
    for path, leaf in left.items():
        other = right[path]
        if (leaf.dtype, leaf.shape) != (other.dtype, other.shape):
            found.append(Difference("mismatch", f"{path}: {other.dtype} {other.shape}, not {leaf.dtype} {leaf.shape}"))
        elif damaged(other) and not damaged(leaf):
            found.append(Difference("wrote_outside", f"{path}: bytes around it were overwritten"))
        elif leaf.kind != "scratch":
            found.extend(_value_differences(path, tensor_of(leaf), tensor_of(other), exact))
    return found


def _overrun(expected: Outcome, actual: Outcome) -> list[Difference]:
    return [Difference("wrote_outside", actual.overrun)] if actual.overrun and not expected.overrun else []


NOT_COMPILED = "CompilationError"
"""Triton's word for a kernel that it cannot compile, as of types that do not go together: what was never launched says
nothing of what another should do. What a kernel itself asserts while it is compiled has another name."""


def _error_differences(expected: str, actual: str) -> list[Difference]:
    wanted, got = expected.split(":")[0], actual.split(":")[0]
    if wanted == got or (wanted == NOT_COMPILED and not got):
        return []
    return [
        Difference(
            "mismatch", f"{actual or 'returns'} where the original {('raises ' + expected) if expected else 'returns'}"
        )
    ]


def _leaf_differences(expected: Leaf, actual: Leaf, terms: _Terms) -> list[Difference]:
    for what in ("kind", "value", "dtype", "shape", "strides", "alias"):
        if getattr(expected, what) != getattr(actual, what):
            code = "aliased_output" if what == "alias" else "mismatch"
            return [
                Difference(
                    code, f"{expected.path}: {what} is {getattr(actual, what)!r}, not {getattr(expected, what)!r}"
                )
            ]
    if expected.kind == "value" or torch.equal(expected.raw, actual.raw):
        return []
    if damage := damaged(actual):
        return [Difference("wrote_outside", f"{actual.path}: {damage} bytes around it were overwritten")]
    if expected.kind == "scratch":
        return []
    if expected.path.startswith("argument") and not expected.written:
        return [Difference("mutated_input", f"{expected.path} was written; the original leaves it alone")]
    want, got = tensor_of(expected), tensor_of(actual)
    if terms.overflows and want.is_floating_point():
        # An infinity on the way may end as one, or as the nought of what was divided by it.
        told = want.double().isfinite() & (want.double() != 0)
        got = torch.where(told, got.double(), want.double()).to(got.dtype)
    if terms.interpreted and want.dtype in INTERPRETER_CANNOT_JUDGE:
        wrong = ~alike_but_for_slips(want, got)
        return _wrong_elements(
            expected.path, want, got, wrong, "within a code of fp8, or a slip of the interpreter's cast"
        )
    return _value_differences(expected.path, want, got, terms.exact, terms.truth)


def damaged(leaf: Leaf) -> int:
    """How many bytes of an argument's buffer that lie outside its elements are no longer what they were."""
    if not leaf.path.startswith("argument"):
        return 0
    view = tensor_of(leaf)
    outside = torch.ones(leaf.raw.numel(), dtype=torch.bool)
    size = view.element_size()
    strides = (*(stride * size for stride in leaf.strides), 1)
    if view.numel():
        once(outside.as_strided((*leaf.shape, size), strides, leaf.start)).fill_(False)
    return int((outside & (leaf.raw != leaf.raw[-1])).sum())  # the last byte is one of the red zone


def _value_differences(
    path: str, want: torch.Tensor, got: torch.Tensor, exact: bool, truth: Truth | None = None
) -> list[Difference]:
    tolerance = TOLERANCES.get(want.dtype)
    if tolerance is None or exact:
        wrong = ~((want == got) | (_nan(want) & _nan(got)))
        allowed = "exactly"
    else:
        wrong = _beyond_rounding(want, got, tolerance)
        allowed = f"within {tolerance.relative:g} ({tolerance.reason})"
        if truth is not None and bool(wrong.any()) and (known := truth().get(path)) is not None:
            wrong &= ~_as_true(known.double().cpu(), want.double(), got.double(), tolerance)
            if bool(wrong.any()):
                wrong &= ~undecided(truth, path, got, tolerance, wrong)
    return _wrong_elements(path, want, got, wrong, allowed)


def _wrong_elements(
    path: str, want: torch.Tensor, got: torch.Tensor, wrong: torch.Tensor, allowed: str
) -> list[Difference]:
    if not bool(wrong.any()):
        return []
    if bool((_nan(got) & wrong).sum() == wrong.sum()) and not bool(_nan(want).any()):
        return [
            Difference("uninitialised", f"{path}: {int(wrong.sum())} of {want.numel()} elements were never written")
        ]
    at = tuple(int(i) for i in wrong.nonzero()[0])
    first = f"{path}{list(at)} is {got[at].item()!r}, not {want[at].item()!r}"
    return [Difference("mismatch", f"{first} {allowed}; {int(wrong.sum())} of {want.numel()} elements differ")]


def _nan(x: torch.Tensor) -> torch.Tensor:
    return x != x if x.is_floating_point() else torch.zeros(x.shape, dtype=torch.bool)


WIDE_EXPONENT = 1e30
"""Types that reach beyond it have subnormal numbers that processors, or single threads, flush to nought."""


def _as_near_as_can_be(want: torch.Tensor, got: torch.Tensor) -> torch.Tensor:
    """Whether two roundings, or a flush to nought, may lie between them: below the smallest normal number of a type
    its numbers are evenly spaced, and what follows its largest is infinity."""
    kind = torch.finfo(want.dtype)
    step = kind.smallest_normal * (1.0 if kind.max > WIDE_EXPONENT else kind.eps)
    one, other = want.double(), got.double()
    last = (one.sign() == other.sign()) & (torch.minimum(one.abs(), other.abs()) == kind.max)
    return ((other - one).abs() <= 2 * step) | (last & (one.isinf() | other.isinf()))


def _beyond_rounding(want: torch.Tensor, got: torch.Tensor, tolerance: Tolerance) -> torch.Tensor:
    """Elementwise, whether the two are others than rounding explains. Most elements are the same: only the rest is
    taken to float64, which takes seconds for all of a large tensor."""
    other = want != got
    if not bool(other.any()):
        return other
    wide = want if want.dtype == torch.float64 else want.float()  # no arithmetic is done in the smallest types
    scale, one, two = row_scale(wide).expand_as(want)[other].double(), want[other], got[other]
    near = _within(one.double(), two.double(), tolerance, scale) | _as_near_as_can_be(one, two)
    return other.masked_scatter(other, ~near)


def _within(want: torch.Tensor, got: torch.Tensor, tolerance: Tolerance, scale: torch.Tensor) -> torch.Tensor:
    """Elementwise; infinities and NaN must stand at the same places with the same signs."""
    close = (got - want).abs() <= tolerance.relative * want.abs() + tolerance.absolute * scale
    finite = want.isfinite() & got.isfinite()
    same = (want == got) | (want.isnan() & got.isnan())
    return torch.where(finite, close, same)


def _as_true(truth: torch.Tensor, want: torch.Tensor, got: torch.Tensor, tolerance: Tolerance) -> torch.Tensor:
    """Elementwise, whether `got` is within its type's tolerance of the truth, or within WORSE times the original's own
    error at the scale of the row; nowhere in a row in which the original is off by more than its type explains."""
    if truth.shape != want.shape:
        return torch.zeros(want.shape, dtype=torch.bool)
    scale = row_scale(truth)
    allowed = tolerance.relative * truth.abs() + tolerance.absolute * scale
    allowed = torch.maximum(allowed, WORSE * own_error(truth, want, tolerance) * scale)
    return ((got - truth).abs() <= allowed) & truth.isfinite() & _sound(truth, want, tolerance)


def own_error(truth: torch.Tensor, want: torch.Tensor, tolerance: Tolerance) -> float:
    """How far the original's elements lie from the float64 truth at most, as a share of their row's scale, by what they
    typically do: one that is bad here and there makes no difference.

    Only of elements so small beside their row that rounding the value itself explains nothing, in rows where the
    original is sound; those that it gets exactly were copied. Nought where there are hardly any, or where this is more
    than the type explains.
    """
    scale = row_scale(truth)
    small = tolerance.relative * truth.abs() <= tolerance.absolute * scale
    share = ((want - truth).abs() / scale)[small & truth.isfinite() & _sound(truth, want, tolerance)]
    share = share[share > 0]
    found = LARGEST_BY_TYPICAL * float(share.median()) if share.numel() >= FEWEST else 0.0
    return found if found <= tolerance.relative else 0.0


def _sound(truth: torch.Tensor, want: torch.Tensor, tolerance: Tolerance) -> torch.Tensor:
    """The rows in which the original is finite where the truth is, and nowhere off by more than its type explains."""
    off = (want - truth).abs() <= tolerance.relative * row_scale(truth)
    sound = torch.where(truth.isfinite(), off, ~want.isfinite())
    return sound.all(dim=-1, keepdim=True) if sound.dim() else sound


def beyond(truth: torch.Tensor, got: torch.Tensor, allowed: float) -> torch.Tensor:
    """The elements whose error against the float64 `truth` is more than that fraction of their row's scale, and those
    that are no number where the truth is one."""
    near = (got.double() - truth).abs() <= allowed * row_scale(truth)
    return ~near & truth.isfinite()


def error_against(truth: torch.Tensor, got: torch.Tensor) -> float:
    """Largest error of `got` against the float64 `truth`, as a fraction of its row's scale; elements not finite
    in the truth do not count."""
    if not truth.numel():
        return 0.0
    # Below the smallest normal number of its type nothing can be nearer than a fixed step.
    least = torch.finfo(got.dtype).smallest_normal if got.is_floating_point() else 0.0
    got, rows = got.expand_as(truth), (-1, truth.shape[-1] if truth.dim() else 1)
    at_once = max(1, IN_CACHE // rows[1]) if truth.device.type == "cpu" else truth.numel()
    largest = [
        _largest_error(some, theirs, least)
        for some, theirs in zip(truth.reshape(rows).split(at_once), got.reshape(rows).split(at_once), strict=True)
    ]
    return math.inf if any(map(math.isnan, largest)) else max(largest)


def _largest_error(truth: torch.Tensor, got: torch.Tensor, least: float) -> float:
    """NaN where one is."""
    error = (got.double() - truth).abs() / row_scale(truth).clamp_min(least)
    return float(torch.where(truth.isfinite(), error, 0.0).max())
