"""Blocks of paired runs: what drifts hits both legs alike, and what jumps is measured again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .sensors import Sensors

if TYPE_CHECKING:
    from .replay import Clock, Inputs, Leg

WARM_UP_BLOCKS = 3
STEADY = 0.03
"""How far the SM clock may move within a block: beyond it the block is dropped."""


@dataclass
class Blocks:
    """Each block times both of a pair twice, in one of the two mirrored orders; pairs take turns at random."""

    clock: Clock
    legs: list[Leg]
    inputs: Inputs
    draw: random.Random
    sensors: Sensors
    found: dict[str, list[float]] = field(
        default_factory=lambda: {"original_us": [], "candidate_us": [], "control_a_us": [], "control_b_us": []}
    )
    dropped: int = 0
    """Blocks in which the SM clock moved or the device waited for its host; each was measured again, as long as few
    were."""
    late: int = 0
    """Of those that are in what was found all the same: how many the device waited in."""

    def warm_up(self) -> None:
        for _ in range(WARM_UP_BLOCKS):
            self.inputs.restore()
            self.clock(self.legs)
            if self.clock.late:
                self.clock.wait_longer()

    def run(self, blocks: int) -> None:
        """So many blocks of the pair and as many of the original against itself."""
        turns = [True] * blocks + [False] * blocks
        self.draw.shuffle(turns)
        spare = blocks
        while turns:
            paired = turns.pop()
            if not self._run_one(paired=paired, droppable=spare > 0):
                spare -= 1
                turns.insert(0, paired)

    def _run_one(self, *, paired: bool, droppable: bool) -> bool:
        original, candidate, again, candidate_again = self.legs
        n = len(self.found["original_us"])
        a, b = ((original, again)[n % 2], (candidate, candidate_again)[n // 2 % 2]) if paired else (original, again)
        self.inputs.restore()
        before = self.sensors.sm_mhz()
        left, right = mirrored(self.clock, a, b, self.draw)
        late = self.clock.late
        if late or not steady(before, self.sensors.sm_mhz()):
            if late:
                self.clock.wait_longer()
            self.dropped += 1
            if droppable:
                return False
            self.late += late
        names = ("original_us", "candidate_us") if paired else ("control_a_us", "control_b_us")
        self.found[names[0]].append(left)
        self.found[names[1]].append(right)
        return True


def steady(before: int | None, after: int | None) -> bool:
    """Whether the clock stayed; where it cannot be read, nothing is said against it."""
    return not before or not after or abs(after - before) <= STEADY * max(before, after)


def mirrored(clock: Clock, a: Leg, b: Leg, draw: random.Random) -> tuple[float, float]:
    """Means of one block, A B B A or B A A B: what drifts linearly through it hits both alike."""
    if draw.random() < 0.5:
        one, two, three, four = clock([a, b, b, a])
        return (one + four) / 2, (two + three) / 2
    one, two, three, four = clock([b, a, a, b])
    return (two + three) / 2, (one + four) / 2


def ratios(blocks: Sequence[tuple[float, float]], best: int) -> list[float]:
    """Left over right of each block; or of so many of the least times of each side, rank by rank.

    What others do on the GPU meanwhile makes a time longer, never shorter, and hits one side of a block only.
    """
    if not best:
        return [left / right for left, right in blocks]
    lefts, rights = (sorted(side)[:best] for side in zip(*blocks, strict=True))
    return [left / right for left, right in zip(lefts, rights, strict=True)]
