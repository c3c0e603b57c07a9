"""When a kernel is to be left as it is: it runs so near the roofline that no variant could gain much."""

from __future__ import annotations

from kmaint.records.evaluation import Profile

AT_THE_ROOFLINE = 0.85
"""The share from which on a kernel is left alone."""

BEYOND = 1 / 0.95
"""The share above which the floor is wrong and not the kernel fast: no clock and no data sheet is off by so much."""


def reached(mean: float | None, least: float | None) -> bool:
    """Whether every timed workload is there; the mean of all stands for the least where nobody noted each.

    False where a share is beyond what can be: the contract's traffic says more than the kernel moves.
    """
    if mean is None:
        return False
    shares = [mean] if least is None else [mean, least]
    return min(shares) >= AT_THE_ROOFLINE and max(shares) <= BEYOND


def near_the_roofline(profile: Profile) -> bool:
    """Whether that was reached as measured."""
    return not profile.estimated and reached(profile.roofline_fraction, profile.least_fraction)


def to_be_left(profile: Profile | None) -> str:
    """The evidence for that, in words; empty where something may be gained, or nobody has measured whether.

    Each timed workload has to be there, and not their mean alone: a variant may be for one of them.
    """
    if profile is None or profile.least_fraction is None or not near_the_roofline(profile):
        return ""
    share, least = f"{profile.roofline_fraction:.0%} of the roofline", f"{profile.least_fraction:.0%}"
    return f"the original runs at {share}, at {least} on the workload that is furthest from it"
