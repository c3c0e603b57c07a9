"""What the campaign's runs left behind, as it lies in the repository: read here, and written here."""

from __future__ import annotations

import json
import site
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.campaign.kernels import HOME, ROOT
from benchmarks.campaign.shipping import NO_GPU, Against
from kmaint import wire
from kmaint.agent.builtin import WORTH
from kmaint.evaluate import Screened
from kmaint.evaluate.timing import ratios
from kmaint.folder import write_text
from kmaint.records.evaluation import Environment, Evaluation, Passed
from kmaint.records.run import Run
from kmaint.records.spent import Spent
from kmaint.records.timing import Timing

Way = Literal["builtin", "handoff"]
WAYS: tuple[Way, ...] = ("builtin", "handoff")
FIRST = "scripted"
"""What the file is called of a handoff's candidates in an earlier run."""
EARLIER = ROOT / "benchmarks" / "results"


@dataclass(frozen=True, kw_only=True)
class Retimed:
    """What a later clock says of a run's best, the second word where the first was a win; or why it says nothing."""

    timing: Timing | None = None
    first: Timing | None = None
    environment: Environment | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A run with its harness as it was then, what it used up, and its winner through the whole gate once more.

    `again` is that second passage: other processes, other seeds. It is None where nothing won, and in a run from before
    the campaign, as `spent` is; the gate's own confirmation stands in the run in any case. `shipped` is there where
    serving runs another operator: the winner, or else the extracted kernel, against that. `retimed` is there where the
    clock has been mended since.
    """

    harness: dict[str, Any]
    run: Run
    spent: Spent | None = None
    again: Evaluation | None = None
    shipped: Against | None = None
    retimed: Retimed | None = None
    screened: Mapping[str, Screened] = field(default_factory=dict)
    """The rough look at many variants by which those that the gate saw were chosen, by candidate id."""

    @property
    def folder(self) -> str:
        return str(self.harness["folder"])

    @property
    def release(self) -> str:
        origin = self.harness["provenance"]
        return f"{origin['framework']}=={origin['version']}"

    @property
    def best(self) -> Evaluation | None:
        """What the run is for: its winner, else the best that was timed."""
        if self.run.winner is not None:
            return self.run.winner
        timed = {timing.speedup.low: one for one in reversed(self.run.evaluations) if (timing := timing_of(one))}
        return timed[max(timed)] if timed else None

    @property
    def timing(self) -> Timing | None:
        """That of the best."""
        return timing_of(self.best) if self.best else None

    @property
    def won(self) -> bool:
        """Whether it was a win each time it was asked for."""
        winner = self.run.winner
        if winner is None or not is_win(winner) or not (self.again is None or is_win(self.again)):
            return False
        return self.retimed is None or self.retimed.timing is None or ratios.is_win(self.retimed.timing)

    @property
    def looked(self) -> float:
        """The best ratio of the rough look; 0 where there was none."""
        return max((one.ratio or 0.0 for one in self.screened.values()), default=0.0)

    @property
    def undecided(self) -> bool:
        """Whether its minutes ended before any verdict, though a variant looked worth one."""
        return not self.run.evaluations and self.looked >= WORTH

    @property
    def failure(self) -> str:
        """Why the run has no time at all; empty where it has one."""
        if self.timing is not None:
            return ""
        if self.run.environment is None or self.run.environment.device is None:
            return NO_GPU
        if self.run.state == "at_roofline":
            return "at the roofline, so that nothing was tried"
        if self.undecided:
            return f"out of time before a verdict; {self.looked:.2f}x by a rough look"
        if not self.run.evaluations:
            return "no variant looked faster"
        first = self.run.evaluations[0]
        return f"{first.candidate.plan.edit} was {first.verdict.kind}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a record. `holds` is whether nothing speaks against it, not whether it was timed."""

    holds: bool
    said: str
    evaluation: Evaluation | None = None
    """Today's, of what the record calls its best; None where it came to none."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A record's outcome, with the id of its run and the harness's folder name."""

    run: str
    folder: str
    outcome: Outcome


def timing_of(evaluation: Evaluation) -> Timing | None:
    return evaluation.verdict.timing if isinstance(evaluation.verdict, Passed) else None


def is_win(evaluation: Evaluation) -> bool:
    return isinstance(evaluation.verdict, Passed) and evaluation.verdict.timing is not None and evaluation.verdict.win


def read(path: Path) -> Recorded | None:
    """The run of a file; None where there is none, or the file is of something else."""
    content = json.loads(path.read_text()) if path.is_file() else None
    if not isinstance(content, dict) or not {"harness", "run"} <= set(content):
        return None
    kinds = {"spent": Spent, "again": Evaluation, "shipped": Against, "retimed": Retimed}
    kinds["screened"] = dict[str, Screened]
    more: dict[str, Any] = {
        name: wire.load(kind, content[name]) for name, kind in kinds.items() if content.get(name) is not None
    }
    return Recorded(harness=content["harness"], run=wire.load(Run, content["run"]), **more)


def write(path: Path, recorded: Recorded) -> None:
    """Whole or not at all; without the folders of the machine it ran on, which say nothing to a reader."""
    content = wire.dump(recorded)
    content["run"]["harness"] = recorded.folder
    _write(path, {key: value for key, value in content.items() if value is not None})


def write_verified(folder: Path, verified: Verified) -> None:
    """Likewise; one file a record, which a later one of the same record takes the place of."""
    _write(folder / f"{verified.folder}-{verified.run}.json", verified)


def read_verified(folder: Path) -> Iterator[Verified]:
    """All of the folder, by name."""
    for path in sorted(folder.glob("*.json")):
        yield wire.load(Verified, json.loads(path.read_text()))


def _write(path: Path, content: object) -> None:
    text = wire.text(content, indent=1)
    for folder in (*site.getsitepackages(), sys.prefix, ROOT):  # as the logs of failures name them, one in another
        text = text.replace(f"{folder}/", "")
    write_text(path, text + "\n")


def campaign(way: str, home: Path = HOME) -> dict[str, Recorded]:
    """The campaign's runs of one way, or those before, by the harness's folder name."""
    found = {path.parent.name: read(path) for path in sorted(home.glob(f"*/{way}.json"))}
    return {name: one for name, one in found.items() if one is not None}


def earlier(results: Path = EARLIER) -> Iterator[Recorded]:
    """Runs on a GPU from before the campaign, the newest folder first."""
    for folder in sorted((path for path in results.iterdir() if path.is_dir()), reverse=True):
        for path in sorted(folder.glob("*.json")):
            if (found := read(path)) is not None:
                yield found
