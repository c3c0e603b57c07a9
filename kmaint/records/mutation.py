"""Small defects planted into a harness's kernel.py, and what a suite made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["killed", "survived", "rounding", "unchanged", "not_built"]
"""What became of a mutant: the suite failed on it; it passed though the mutant does something else on a larger draw of
cases; it passed, and other bits were seen but none beyond the tolerance that the suite states; it passed, and not one
bit was seen to change; it does not run at all, so that nothing can be said."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A whole kernel.py with one defect: `id` is the digest of its source, `line` that of the original."""

    id: str
    operator: str
    function: str
    line: int
    sentence: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What became of one mutant: `by` is the test that failed, `codes` the gate's words for how."""

    id: str
    operator: str
    function: str
    line: int
    sentence: str
    state: State
    reason: str
    by: str = ""
    codes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """All mutants of a harness that were tried, judged by one state of its suite."""

    harness: str
    judged: tuple[Judged, ...]
    planted: int
    """How many mutants the catalogue has for this kernel; `judged` may be a choice of them."""
    reused: int = 0
    seconds: float = 0.0

    def counted(self, *states: State) -> int:
        """How many ended in one of the states."""
        return sum(one.state in states for one in self.judged)

    @property
    def changing(self) -> int:
        """Mutants that change behaviour beyond a stated tolerance: what the score is of."""
        return self.counted("killed", "survived")

    @property
    def strict_score(self) -> float | None:
        """The share killed of all that change one bit: no suite that lets a candidate round otherwise reaches 1."""
        every = self.counted("killed", "survived", "rounding")
        return self.counted("killed") / every if every else None

    @property
    def score(self) -> float | None:
        """The share of those that the suite kills; None where there is none."""
        return self.counted("killed") / self.changing if self.changing else None

    def ended(self, *states: State) -> Iterable[Judged]:
        """Those that ended in one of the states, in the order of the file."""
        return (one for one in sorted(self.judged, key=lambda one: (one.line, one.id)) if one.state in states)
