"""What a run used up: counted from what the store holds, and absent where the store does not say."""

from __future__ import annotations

from dataclasses import dataclass, field

from kmaint.records.exchange import Usage


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Of one run, or of several together. `faults` are answers of models that were of no use.

    `device_minutes` are those for which the gate's rungs, screening and profiles held a GPU, `wall_minutes` those in
    which a process was at work on the run; the latter are None where the run wrote down no event to tell them by.
    """

    candidates: int = 0
    usage: Usage = field(default_factory=Usage)
    faults: int = 0
    device_minutes: float = 0.0
    wall_minutes: float | None = 0.0

    def __add__(self, other: Spent) -> Spent:
        known = self.wall_minutes is not None and other.wall_minutes is not None
        return Spent(
            candidates=self.candidates + other.candidates,
            usage=self.usage + other.usage,
            faults=self.faults + other.faults,
            device_minutes=self.device_minutes + other.device_minutes,
            wall_minutes=(self.wall_minutes or 0.0) + (other.wall_minutes or 0.0) if known else None,
        )
