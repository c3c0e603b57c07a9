"""Whether two engines say the same, where rounding may differ: a contract stated before anything is compared."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kmaint.records.engine import Leg, Likeness

TOLERANCE_NATS = 0.05
"""bfloat16 carries 8 bits: a logit of 10 is known to 0.04."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """One sequence: its tokens, the log-probability of each, and how far its runner-up lay behind."""

    tokens: tuple[int, ...]
    nats: tuple[float, ...]
    lead_nats: tuple[float, ...]


def alike(said: Mapping[Leg, Sequence[Said]], *, exact: bool) -> Likeness:
    """Base against patched. The very same is asked of them only where two engines of the base say the very same.

    How requests meet in a batch is in nobody's hand, and a product of another shape rounds otherwise.
    """
    steady = [one.tokens for one in said["base"]] == [one.tokens for one in said["again"]]
    found = compare(said["base"], said["patched"], exact=exact and steady)
    if steady or not exact:
        return found
    return replace(found, contract=f"two engines of the base differ, so {found.contract}")


def compare(
    base: Sequence[Said], patched: Sequence[Said], *, exact: bool, tolerance: float = TOLERANCE_NATS
) -> Likeness:
    """Sequence i of both answers the same prompt. `exact`: the win is bit-exact, so every token has to be the same."""
    common = [_common(a, b) for a, b in zip(base, patched, strict=True)]
    identical = sum(n == len(a.tokens) == len(b.tokens) for n, a, b in zip(common, base, patched, strict=True))
    apart = [
        abs(a.nats[i] - b.nats[i]) for n, a, b in zip(common, base, patched, strict=True) for i in range(n)
    ]  # fmt: skip
    worst = max((one for one in apart if not math.isnan(one)), default=0.0)
    reason = _reason(base, patched, common, exact=exact, tolerance=tolerance) or _drift(apart, worst, tolerance)
    within = f"log-probabilities within {tolerance:g} nats"
    return Likeness(
        contract=f"every token is the same, {within}"
        if exact
        else f"{within} up to the first difference, and that a tie within as much",
        sequences=len(base),
        identical=identical,
        common_tokens=statistics.fmean(common) if common else 0.0,
        worst_nats=worst,
        holds=not reason,
        reason=reason,
    )


def _drift(apart: Sequence[float], worst: float, tolerance: float) -> str:
    if any(map(math.isnan, apart)):  # larger than nothing, so no comparison would see it
        return "a log-probability is not a number"
    return f"log-probabilities lie {worst:.3g} nats apart" if worst > tolerance else ""


def _common(a: Said, b: Said) -> int:
    """Tokens before the first difference."""
    pairs = enumerate(zip(a.tokens, b.tokens, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(a.tokens), len(b.tokens)))


def _reason(
    base: Sequence[Said], patched: Sequence[Said], common: Sequence[int], *, exact: bool, tolerance: float
) -> str:
    for number, (a, b, n) in enumerate(zip(base, patched, common, strict=True)):
        if n == len(a.tokens) == len(b.tokens):
            continue
        if exact:
            return f"sequence {number} differs from token {n} on"
        if n >= len(a.tokens) or n >= len(b.tokens):
            return f"sequence {number} has {len(b.tokens)} tokens instead of {len(a.tokens)}"
        if not a.lead_nats[n] <= tolerance:  # nan is no tie
            return f"sequence {number} differs at token {n}, where the base's choice led by {a.lead_nats[n]:.3g} nats"
    return ""
