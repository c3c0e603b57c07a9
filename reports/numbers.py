"""Numbers as people read them, and the median's interval; nothing here makes up a number that is absent."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from kmaint.records.timing import Interval

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Median:
    """A median of samples in microseconds with its 95 % interval, absent where too few samples were taken for one."""

    us: float
    low_us: float | None
    high_us: float | None


def median_of(samples_us: Sequence[float]) -> Median:
    """Median with the interval between two order statistics: no assumption on how times are distributed.

    The rank is the largest k with P(Binomial(n, 1/2) < k) <= 2.5 %; below six samples there is none.
    """
    ordered = sorted(samples_us)
    count = len(ordered)
    below, rank = 0.0, 0
    while rank < count and (below := below + math.comb(count, rank) / 2**count) <= (1 - CONFIDENCE) / 2:
        rank += 1
    median = statistics.median(ordered)
    if rank == 0:
        return Median(us=median, low_us=None, high_us=None)
    return Median(us=median, low_us=ordered[rank - 1], high_us=ordered[count - rank])


def microseconds(value: float) -> str:
    """Three significant digits, never in powers of ten."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def ratio(value: float) -> str:
    return f"{value:.3f}×"


def interval(found: Interval) -> str:
    """The bounds alone, as a range."""
    return f"{found.low:.3f}–{found.high:.3f}"


def percent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"


def dollars(amount: float | None) -> str:
    """`unknown` where nobody named a price, which is not the same as nothing."""
    return "unknown" if amount is None else f"${amount:,.2f}"


def minutes(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:,.1f} min"


def scientific(value: float) -> str:
    return "0" if value == 0 else f"{value:.2g}"
