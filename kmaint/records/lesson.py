"""What one edit of one kernel taught: a win or a trap, and nothing in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kmaint.records.evaluation import Bottleneck, Code

Fault = Code | Literal["slower", "no_win"]
"""Why an edit is a trap: a code of the verdict, or what is wrong with one that passed."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A conclusion of the gate about an edit, under the operation, architecture and bottleneck it was made for.

    `gain` is slow over fast, a quotient of lower bounds where both were timed and `estimated` where they were not; None
    for a rejection. `codes` name why a trap is one and are empty for a win. `slow` is empty where the source is gone.
    """

    outcome: Literal["win", "trap"]
    operation: str
    arch: str
    bottleneck: Bottleneck
    edit: str
    why: str
    kernel: str
    slow: str
    fast: str
    gain: float | None = None
    estimated: bool = False
    codes: tuple[Fault, ...] = ()
    reason: str = ""
    agreeing: int = 1
    """Kernels that led to the same conclusion, counted when it is recalled."""
