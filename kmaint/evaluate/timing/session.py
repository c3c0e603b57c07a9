"""What a measuring worker asks on its way, answered from outside: seeds, how many blocks more, and which leg to run."""

from __future__ import annotations

import secrets
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kmaint.evaluate.timing.ratios import settled
from kmaint.evaluate.timing.stopwatch import Stopwatch
from kmaint.intervals import are_times, interval

BATCH = 12
"""Blocks between two looks at the samples."""
SCREENED = 4
"""Blocks of the first look, after which a hopeless candidate is given up."""
HOPELESS = 0.9
"""Slower than this in the best of the screened blocks of one workload: a win keeps 0.98 of the original's speed in the
median of each, so that half of all blocks to come would have to be 9 % faster than the best that was seen."""
CLOSE = {"graph": 0.05, "wall": 0.5}
"""How far the ratio by our own clock may be from the claimed one; a dry run shares its processor with anyone."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured: at most so many blocks of each workload, and all workloads so many times.

    The clock "wall" is a dry run on the CPU through the same path.
    """

    most_blocks: int = 4 * BATCH
    rounds: int = 1
    clock: Literal["graph", "wall"] = "graph"


@dataclass(kw_only=True)
class Session:
    """What the worker asks on its way, and what is remembered of it for each workload of each round."""

    scratch: Path
    effort: Effort
    watches: dict[str, Stopwatch] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    given_up: str = ""
    made_up: str = ""
    """A question that is none of the worker's, since the candidate in its process can write to where it asks."""
    at: dict[int, str] = field(default_factory=dict)
    """The workload that was last asked about, by round."""
    _claimed_us: dict[str, tuple[float, float]] = field(default_factory=dict)

    def reply(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self._may_ask(asked):
            self.made_up = self.made_up or str(asked["ask"])
            return {}
        number, workload = asked["of"]["round"], asked["of"]["workload"]
        self.at[number], name = workload, key(number, workload)
        match asked["ask"]:
            case "run":
                if name not in self.watches:
                    close = CLOSE[self.effort.clock]
                    self.watches[name] = Stopwatch(self._claimed_us[name], asked["calls"], close)
                return self.watches[name].next()
            case "blocks":
                return {"blocks": self._more(name, asked)}
            case "outputs":
                path = self.scratch / f"outputs-{len(self.outputs)}.pt"
                self.outputs[name] = {"path": str(path), "seed": secrets.randbits(30)}
                return self.outputs[name]
            case "seed":
                return {"seed": secrets.randbits(30)}
            case _:  # "ready" and "turn", and whatever a candidate makes up
                return {}

    def _may_ask(self, asked: dict[str, Any]) -> bool:
        """Whether there is all in the question that its answer needs."""
        match asked:
            case {"ask": "blocks", "of": {"round": int(), "workload": str()}, **found}:
                samples = [found.get(f"{leg}_us") for leg in ("original", "candidate", "control_a", "control_b")]
                return all(map(are_times, samples)) and len({len(one) for one in samples if one is not None}) == 1
            case {"ask": "run", "of": {"round": int(number), "workload": str(name)}, **found}:
                calls = found.get("calls")
                return isinstance(calls, int) and calls > 0 and key(number, name) in self._claimed_us
            case {"of": {"round": int(), "workload": str()}}:
                return True
            case _:
                return False

    def _more(self, name: str, found: dict[str, Any]) -> int:
        """How many more blocks: none once the call is clear or cannot become a win, or the most are there."""
        left = self.effort.most_blocks - len(found["original_us"])
        if not found["original_us"]:
            return min(SCREENED, left)
        self._claimed_us[name] = (statistics.median(found["original_us"]), statistics.median(found["candidate_us"]))
        self.given_up = self.given_up or hopeless(name, found["original_us"], found["candidate_us"])
        if self.given_up or left <= 0:
            return 0
        noise = interval(found["control_a_us"], found["control_b_us"])
        if len(found["original_us"]) >= BATCH and settled(found["original_us"], found["candidate_us"], noise):
            return 0
        return min(BATCH - len(found["original_us"]) % BATCH, left)


def hopeless(name: str, original_us: Sequence[float], candidate_us: Sequence[float]) -> str:
    """Why no more blocks could make a win of it; empty where they might."""
    best = max(a / b for a, b in zip(original_us, candidate_us, strict=True))
    if best >= HOPELESS:
        return ""
    return f"{name.partition(' ')[2]} ran at {best:.2f}x in the best of {len(original_us)} blocks"


def key(number: int, workload: str) -> str:
    """Of a workload in the round of that number."""
    return f"{number} {workload}"
