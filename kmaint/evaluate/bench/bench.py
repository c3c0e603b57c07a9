"""The target interpreter, its GPU, and how long measured code may run there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from kmaint.child import Finished
from kmaint.evaluate.bench.running import Alone, Once, Use, Warm
from kmaint.evaluate.workers.turns import place_of
from kmaint.forking.programs import Program
from kmaint.records.evaluation import Code, Environment
from kmaint.records.harness import Harness
from kmaint.sandbox import NO_WALLS, Sandbox
from kmaint.stop import NEVER, Stop

LIMITS_S: Mapping[str, float] = {
    "survey": 180.0,
    "compile": 120.0,
    "variant": 30.0,
    "build": 1800.0,
    "interpreter": 600.0,
    "device": 600.0,
    "numerics": 300.0,
    "time": 120.0,
    "screen": 60.0,
    "counters": 180.0,
    "call": 60.0,
}
"""Seconds: for the two suites and the counters the whole run, for a worker's command each of its items, and one call of
a candidate. `variant` is for compiling one of those that are screened: what takes far longer than the original, some
seconds, keeps more in its registers than there are."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """An interpreter with torch and triton, and how long to let measured code run in it.

    `quick` times fewer blocks and skips the confirming run; with `only_wins` a candidate that by a first look can be
    none is judged no further; `progress` is told in words what is under way.
    """

    python: Path
    device: Literal["cuda", "none"]
    environment: Environment
    limits_s: Mapping[str, float] = field(default_factory=lambda: dict(LIMITS_S))
    quick: bool = False
    only_wins: bool = False
    progress: Callable[[str], None] = lambda _text: None
    trusted: set[str] = field(default_factory=set)
    """Digests of the suites whose controls failed as they must."""
    known: dict[str, Any] = field(default_factory=dict)
    """Compile facts of originals, by digest."""
    once: Once = field(default_factory=Once)
    """Who finds out what `trusted` and `known` hold, where several candidates climb at once."""
    gpu: str | None = None
    """The one GPU to use, as CUDA_VISIBLE_DEVICES names it; None for the first that is visible."""
    warm: Warm | None = None
    originals: Path | None = None
    """Triton's cache of processes that never import a candidate; None for the scratch folder's own."""
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Of torch, in each child."""
    walls: Sandbox = NO_WALLS
    """What stands around a candidate's process."""
    stop: Stop = NEVER
    """Lets go of what runs here."""

    @property
    def turns(self) -> Path | None:
        """Where the turns on its GPU are taken; None without one."""
        return place_of(self.environment.device_uuid or self.gpu or "all") if self.device == "cuda" else None

    def run(self, harness: Path | None, program: Program, *, timeout_s: float, stdin: str = "") -> Finished:
        """Run a program in the target's interpreter, in a fork of a warm one where there is one for the harness.

        Stopped where the bench was told to stop, before it ran or meanwhile.
        """
        asked = self._with_its_share(program)
        return self._use(harness, program, lambda runner: runner.run(asked, timeout_s=timeout_s, stdin=stdin))

    def talk(
        self, harness: Path | None, program: Program, hear: Callable[[str], str | None], *, timeout_s: float
    ) -> Finished:
        """As `run`, and hear each line of output the moment it comes."""
        asked = self._with_its_share(program)
        return self._use(harness, program, lambda runner: runner.talk(asked, hear, timeout_s=timeout_s))

    def _with_its_share(self, program: Program) -> Program:
        """Of the processor: what needs no GPU yields to what has one, for which others may be waiting."""
        self.stop.check()
        patient = self.device == "cuda" and program.env.get("CUDA_VISIBLE_DEVICES") == ""
        return replace(program, threads=self.threads, patient=patient, stop=self.stop)

    def _use(self, harness: Path | None, program: Program, use: Use) -> Finished:
        if self.warm is None or harness is None:
            return use(Alone(self.python))
        return self.warm.run(harness, program, use)

    def expect(self, harness: Harness) -> None:
        """Candidates of the harness are about to come: where there is a GPU and are cores, nobody waits for a start."""
        if self.warm is not None and self.device == "cuda":
            self.warm.expect(harness.folder.resolve(), (False, True) if harness.language == "triton" else (False,))

    def exempt(self, harness: Harness) -> set[Code]:
        """Codes of what a harness's original does as well, and so no candidate of it is blamed for."""
        found: set[Code] = self.known.setdefault(f"exempt of {harness.folder.resolve()}", set())
        return found
