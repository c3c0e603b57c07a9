"""When a kernel is to be left as it is: it runs so near the roofline that no variant could gain much."""

from __future__ import annotations

from kmaint.records.evaluation import Profile

AT_THE_ROOFLINE = 0.85
"""The share from which on a kernel is left alone."""


def to_be_left(profile: Profile | None) -> str:
    """The evidence for that, in words; empty where something may be gained, or nobody has measured whether.

    Each timed workload has to be there, and not their mean alone: a variant may be for one of them.
    """
    if profile is None or profile.estimated or profile.roofline_fraction is None or profile.least_fraction is None:
        return ""
    if profile.least_fraction < AT_THE_ROOFLINE:
        return ""
    share, least = f"{profile.roofline_fraction:.0%} of the roofline", f"{profile.least_fraction:.0%}"
    return f"the original runs at {share}, at {least} on the workload that is furthest from it"
