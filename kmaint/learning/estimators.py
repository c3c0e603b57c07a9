"""What k attempts would have given, from n that were made: means over all ways to draw k of the n, in closed form.

The attempts of a search lean on one another, so this says what k of these attempts give, not what another k would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def pass_at_k(attempts: int, passed: int, k: int) -> float:
    """Probability that k of the attempts, drawn at random, hold one that passed. ValueError unless 1 <= k <= attempts.

    The unbiased estimator of Chen et al. 2021, https://arxiv.org/abs/2107.03374.
    """
    _check(attempts, k)
    return 1.0 - math.comb(attempts - passed, k) / math.comb(attempts, k)


def best_of_k(values: Sequence[float], k: int) -> float:
    """Expected maximum of k of the values, drawn at random. ValueError unless 1 <= k <= len(values).

    In ascending order the i-th of n values is the largest of C(i - 1, k - 1) of the C(n, k) draws.
    """
    _check(len(values), k)
    ways = math.comb(len(values), k)
    return math.fsum(value * (math.comb(i, k - 1) / ways) for i, value in enumerate(sorted(values)))


def share_above(values: Sequence[float], threshold: float) -> float:
    """Share of the values strictly above the threshold: fast_p, where the values are speedups. ValueError for none."""
    if not values:
        raise ValueError("there is no share of nothing")
    return sum(value > threshold for value in values) / len(values)


def geometric_mean(values: Sequence[float]) -> float:
    """Of positive values; ValueError for none."""
    if not values:
        raise ValueError("there is no mean of nothing")
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def _check(attempts: int, k: int) -> None:
    if not 1 <= k <= attempts:
        raise ValueError(f"k must be from 1 to the {attempts} attempts, not {k}")
