"""Puts a derivation's questions to a warm interpreter, each in a fork that may crash or hang."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kmaint.forking.warm import Zygote

Request = dict[str, Any]
Answer = dict[str, Any]
"""See probes.kernel.probe for what both hold."""

PROGRAM = Path(__file__).parent / "probes" / "kernel.py"
ALL, FIRST_ONLY = -1, -2
"""Special values of `beyond`: see probes.kernel.answers."""

GRACE_S = 10.0
"""What a fork gets beyond its trial's own limit, to import kernel.py and to answer."""


@dataclass(frozen=True)
class Effort:
    """What a derivation may cost: trials, CPU seconds until something runs, and CPU seconds for one trial.

    `guesses` and `guessing_s` are those of a launcher, whose search is blinder than that of a kernel and ends sooner or
    not at all.
    """

    trials: int = 160
    guesses: int = 160
    seconds: float = 60.0
    guessing_s: float = 60.0
    trial_s: float = 8.0
    checks: int = 2
    """On how many mixtures of two sets of sizes, and in how many further dtypes, what runs is tried again."""
    smoke_s: float = 20.0
    """Seconds for the suite's smoke example, which runs at the size of the smallest workload."""


QUICK = Effort(trials=60, guesses=2, seconds=0.6, guessing_s=0.3, trial_s=0.3, checks=1, smoke_s=4.0)
"""For every kernel of a tree in one go."""


class Prober(Protocol):
    """Runs the entry in a process that may crash; `beyond` and `within_s` as probes.kernel.answers has them."""

    spent_s: float
    """CPU seconds of all that was asked."""

    def ask(self, requests: list[Request], *, beyond: int = ALL, within_s: float = 60.0) -> list[Answer]: ...


class WarmProber:
    """Runs the entry of a folder's kernel.py; the folder holds the harness's runtime too."""

    def __init__(self, warm: Zygote, folder: Path, entry: str) -> None:
        self._warm, self._folder, self._entry, self.spent_s = warm, folder, entry, 0.0

    def ask(self, requests: list[Request], *, beyond: int = ALL, within_s: float = 60.0) -> list[Answer]:
        """The answers of probes.kernel.answers; where the fork ended first, those of one fork for each request."""
        said = self._warm.ask(
            PROGRAM,
            "answers",
            self._folder,
            limit_s=sum(one["limit_s"] for one in requests) + GRACE_S,
            keep=True,
            entry=self._entry,
            requests=requests,
            beyond=beyond,
            within_s=within_s,
        )
        self.spent_s += said.cpu_s
        if isinstance(said.value, list):
            return said.value
        if said.lost and len(requests) > 1:
            return [self.ask([one])[0] for one in requests]
        return [{**NOTHING, "error": said.error}] * len(requests)


NOTHING: dict[str, Any] = {
    "error": "",
    "line": 0,
    "touched": {},
    "accesses": 0,
    "extents": {},
    "outside": {},
    "outputs": False,
    "overrun": False,
    "returned": [],
    "stored": [],
    "loaded": [],
    "filled": [],
    "digest": "",
}
"""What a fork that ended before it answered has to say."""
