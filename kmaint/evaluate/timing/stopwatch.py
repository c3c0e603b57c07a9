"""Times a worker's runs from outside its process, by this one's clock, and holds what it claims against that."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

ORIGINAL, CANDIDATE, AGAIN, IDLE = range(4)
"""The legs a worker knows; the last does nothing, and costs what each run costs beside its leg."""
INTERVAL_US = 20_000.0
"""Claimed work in one interval: a message through a pipe and a wake-up on a busy host take well under 1 % of it."""
LONGEST_US = 100_000.0
"""Of the slower leg, where the other would have to run for longer than this to fill an interval."""
PASSES = 6
"""A pass has each leg twice, mirrored. One is enough where it agrees: what disturbs a clock only adds to it."""


@dataclass
class Stopwatch:
    """Gives orders to a worker and times each from the moment it is given to the moment its answer is here.

    `claimed_us` are the medians a call that the worker gave for original and candidate; `close` is how far the ratio of
    both clocks may differ, beside twice the noise of this one.
    """

    claimed_us: tuple[float, float]
    calls: int
    close: float
    found_us: dict[int, list[float]] = field(default_factory=lambda: {leg: [] for leg in range(4)})
    _left: list[int] = field(default_factory=list)
    _passes: int = 0
    _running: int | None = None
    _started: float = 0.0

    @property
    def runs(self) -> int:
        """Of a leg in one interval, the same for all: enough that the faster one's is no short one."""
        fast_us, slow_us = (max(1e-3, us * self.calls) for us in sorted(self.claimed_us))
        return max(1, math.ceil(min(INTERVAL_US / fast_us, LONGEST_US / slow_us)))

    def next(self) -> dict[str, Any]:
        """Called the moment the worker asks: what it is to run now, or that all is done."""
        now = perf_counter()
        if self._running is not None:
            self.found_us[self._running].append((now - self._started) * 1e6)
        if not self._left:
            if self._passes == PASSES or (self._passes and not self.disagreement()):
                self._running = None
                return {"done": True}
            self._passes += 1
            order = [ORIGINAL, CANDIDATE, AGAIN, IDLE]
            secrets.SystemRandom().shuffle(order)
            self._left = [*order, *reversed(order)]
        self._running = self._left.pop()
        self._started = perf_counter()
        return {"done": False, "leg": self._running, "runs": self.runs}

    def us(self, leg: int) -> float:
        """A call of the leg: the least that was seen, without what a run costs beside it."""
        return self._spent_us(leg) / self.runs / self.calls

    def _spent_us(self, leg: int) -> float:
        return max(0.0, min(self.found_us[leg]) - min(self.found_us[IDLE]))

    @property
    def ratio(self) -> float | None:
        """Original over candidate; None where nothing was timed, or no more than it takes to do nothing."""
        if not all(self.found_us.values()) or not self.us(ORIGINAL) or not self.us(CANDIDATE):
            return None
        return self.us(ORIGINAL) / self.us(CANDIDATE)

    @property
    def noise(self) -> float:
        """What this clock may be off by, as a fraction: from the legs that run nothing of the candidate's.

        How far apart the original's two legs are, and how far the least time of each leg is from the one after it.
        """
        apart = abs(self.us(AGAIN) / self.us(ORIGINAL) - 1.0)
        steps = {leg: sorted(self.found_us[leg])[1] - min(self.found_us[leg]) for leg in (ORIGINAL, AGAIN, IDLE)}
        unsure_us = steps[IDLE] + max(steps[ORIGINAL], steps[AGAIN])
        return apart + unsure_us / min(self._spent_us(ORIGINAL), self._spent_us(CANDIDATE))

    def disagreement(self) -> str:
        """How the claimed ratio is not the one seen from outside; empty where it is, or where nothing was seen.

        Who claims to be no faster lies for nothing where more is seen: on a busy host what disturbs a clock makes that.
        """
        if self.ratio is None:
            return ""
        claimed = self.claimed_us[0] / self.claimed_us[1]
        modest = claimed <= min(1.0, self.ratio)
        if modest or abs(math.log(claimed / self.ratio)) <= math.log(1.0 + self.close + 2.0 * self.noise):
            return ""
        return f"claims {claimed:.2f}x, and takes as long as {self.ratio:.2f}x by the clock of the process outside"
