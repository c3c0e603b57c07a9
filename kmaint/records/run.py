"""One attempt to improve one kernel, as the store keeps it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from kmaint.records.evaluation import Candidate, Environment, Evaluation, Profile

RunState = Literal["running", "won", "estimated", "no_win", "at_roofline"]
"""estimated: a candidate passed and looks better on paper, on a machine that could not time it.
at_roofline: nothing was tried, since the original's own profile leaves nothing to gain."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run may spend; None is no limit of that kind."""

    candidates: int | None = 40
    minutes: float | None = 20.0
    tokens: int | None = None
    """Read and written by models, together."""
    cost_usd: float | None = None

    def exceeds(self, other: Budget) -> bool:
        """Whether more may be spent than under the other, of whatever kind."""
        pairs = [(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)]
        return any(ours is None or ours > theirs for ours, theirs in pairs if theirs is not None)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run and all it found so far. `best` is the id of the winning candidate; None where there is none."""

    id: str
    harness: str
    """Folder of the harness."""
    kernel: str
    """Id of the kernel in its tree."""
    provider: str
    strategy: str
    budget: Budget
    state: RunState
    created: str
    evaluations: tuple[Evaluation, ...] = ()
    best: str | None = None
    baseline: Profile | None = None
    environment: Environment | None = None

    @property
    def winner(self) -> Evaluation | None:
        return next((e for e in self.evaluations if e.candidate.id == self.best), None)

    def lineage(self, candidate: Candidate) -> list[Candidate]:
        """The candidate and those it was made from, the first edit first."""
        known = {evaluation.candidate.id: evaluation.candidate for evaluation in self.evaluations}
        line: list[Candidate] = []
        current: Candidate | None = candidate
        while current is not None and current not in line:
            line.insert(0, current)
            current = known.get(current.parent or "")
        return line
