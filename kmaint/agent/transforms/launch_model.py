"""What a launch configuration would need of the device, guessed from what the compiler made of today's.

Rough on purpose: a configuration is ruled out only where the guess is far past a limit, and the rest are put in order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kmaint.agent.transforms.space import Knob, Point, Space
from kmaint.evaluate.rungs.facts import MOST_REGISTERS, MOST_SHARED_BYTES
from kmaint.evaluate.rungs.profile import MEMORY_LATENCY_US, resident_warps
from kmaint.records.evaluation import Resources

FIXED_REGISTERS = 24
"""Indices, masks and addresses: what a thread holds however small its share of the tile."""
MOST_A_THREAD = 255
SLACK = 1.5
"""A guess may be off by half before it rules anything out."""
MOST_WARPS = 32
NEEDED_BYTES = 4200e9 * MEMORY_LATENCY_US * 1e-6 / 132
"""In flight on each multiprocessor to keep an H200's memory busy: Little's law, about 24 KB."""
LARGEST_LOAD_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class LaunchModel:
    """Judges the points of a space; `today` is what the compiler made of the written one, None where nobody knows."""

    space: Space
    today: Resources | None

    def rules_out(self, point: Point) -> str:
        """Why a point cannot run well, in words; empty where it may."""
        values = self.space.values(point)
        warps = values.get("num_warps", self.today.num_warps if self.today else 4)
        if warps > MOST_WARPS:
            return f"{warps} warps: a program has at most {MOST_WARPS}"
        if self.today is None:
            return ""
        guess = self._guess(point, self.today)
        most = MOST_SHARED_BYTES.get(guess.arch, MOST_SHARED_BYTES["sm_90"])
        if guess.shared_bytes > SLACK * most:
            return f"about {guess.shared_bytes} bytes of shared memory, and {guess.arch} has {most}"
        if guess.registers > SLACK * MOST_A_THREAD:
            return f"about {guess.registers} registers a thread, and there are {MOST_A_THREAD}: it would spill"
        threads = warps * 32
        if min(guess.registers, MOST_A_THREAD) * threads > SLACK * MOST_REGISTERS:
            return f"about {guess.registers} registers in {threads} threads, and a multiprocessor has {MOST_REGISTERS}"
        return ""

    def promise(self, point: Point) -> float:
        """Higher is worth trying earlier: bytes in flight up to what the memory needs, then nearness to today's."""
        near = -sum(abs(at - knob.written) for knob, at in zip(self.space.knobs, point, strict=True))
        if self.today is None:
            return float(near)
        guess = self._guess(point, self.today)
        resident = resident_warps(replace(guess, registers=min(guess.registers, MOST_A_THREAD)))
        stages = max(guess.num_stages, 1) if self._pipelined() else 1
        flying = resident * 32 * LARGEST_LOAD_BYTES * stages
        return min(flying / NEEDED_BYTES, 1.0) + 1e-3 * near

    def _guess(self, point: Point, today: Resources) -> Resources:
        """Registers and shared memory scaled by the tile, the warps that share it, and the stages that hold it."""
        values = self.space.values(point)
        warps = values.get("num_warps", today.num_warps)
        stages = values.get("num_stages", today.num_stages)
        grown = self._growth(point)
        share = max(today.registers - FIXED_REGISTERS, 0) * grown * today.num_warps / warps
        deeper = stages / max(today.num_stages, 1) if self._pipelined() else 1.0
        return replace(
            today,
            num_warps=warps,
            num_stages=stages,
            registers=round(FIXED_REGISTERS + share) if today.registers > FIXED_REGISTERS else today.registers,
            shared_bytes=round(today.shared_bytes * grown * deeper),
        )

    def _growth(self, point: Point) -> float:
        """How much larger the tile is than today's."""
        grown = 1.0
        for knob, at in self._blocks(point):
            grown *= knob.settings[at].value / max(knob.settings[knob.written].value, 1)
        return grown

    def _blocks(self, point: Point) -> list[tuple[Knob, int]]:
        pairs = zip(self.space.knobs, point, strict=True)
        return [(knob, at) for knob, at in pairs if not knob.name.startswith("num_")]

    def _pipelined(self) -> bool:
        return any(knob.name == "num_stages" for knob in self.space.knobs)
