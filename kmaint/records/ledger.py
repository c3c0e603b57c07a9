"""Accepted wins, and what became of each: nothing in it is ever taken back, only added to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kmaint.records.change import Patch
from kmaint.records.evaluation import Environment
from kmaint.records.kernel import Release
from kmaint.records.timing import Interval

State = Literal["landed", "attested", "proposed", "holds", "unjudged", "conflicts", "overtaken", "regressed", "gone"]
"""The last six are what a recheck says of a win on another upstream."""

CHECKED: frozenset[State] = frozenset(("holds", "unjudged", "conflicts", "overtaken", "regressed", "gone"))


@dataclass(frozen=True, kw_only=True)
class Step:
    """One entry of a win's history. `speedup` is there only where it was timed in this step."""

    state: State
    said: str
    at: str
    release: Release
    speedup: Interval | None = None
    environment: Environment | None = None
    written: tuple[str, ...] = ()
    """Paths of what was written: the patch for this upstream, or the texts that conflict."""


@dataclass(frozen=True, kw_only=True)
class Win:
    """A patch that the gate accepted and that was landed, with the evidence of then.

    `original` and `source` are the harness's kernel.py as cut and as it won; they carry the win to another upstream.
    """

    id: str
    run: str
    kernel: str
    launcher: str
    """Name of the function that the harness was cut at; empty at the kernel's own level."""
    release: Release
    patch: Patch
    original: str
    source: str
    speedup: Interval
    environment: Environment
    history: tuple[Step, ...] = ()
    namesakes: tuple[str, ...] | None = None
    """Ids of the release's other kernels of its name, which it cannot have become; None where nobody looked."""

    @property
    def retired(self) -> bool:
        """Whether upstream has caught up: the last recheck found its own code as fast, or the edit already in it."""
        checked = [step for step in self.history if step.state in CHECKED]
        return bool(checked) and checked[-1].state == "overtaken"
