"""Hands candidates in, one at a time: what `kmaint next` asks for is on disk before `kmaint submit` answers it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from benchmarks.campaign import recorded
from benchmarks.campaign.kernels import HOME
from kmaint import wire, workflow
from kmaint.agent.scripted import candidate_files
from kmaint.config import Config
from kmaint.console import Progress
from kmaint.errors import UsageError
from kmaint.folder import write_text
from kmaint.records.evaluation import Bottleneck, Plan
from kmaint.records.harness import Harness
from kmaint.records.run import Run

HANDOFF = HOME / "handoff"
NAMED = re.compile(r"Bottleneck: (\w+)")


def files_for(harness: str) -> tuple[Path, ...]:
    """The harness's candidates: what is recorded as its winner comes first, the others by name."""
    before = recorded.read(HOME / harness / "handoff.json")
    won = before.run.winner.candidate.id if before and before.run.winner else None
    return tuple(sorted(candidate_files(HANDOFF / harness), key=lambda file: (_id(file) != won, file.name)))


def unjudged(files: Sequence[Path], run: Run) -> list[Path]:
    known = {evaluation.candidate.id for evaluation in run.evaluations}
    return [file for file in files if _id(file) not in known]


def hand_in(harness: Harness, files: Sequence[Path], config: Config) -> Run:
    """Begin or take up the run, and answer with files it has not judged, so many as the configuration has candidates.

    Plans go along: NAME.md in words beside NAME.py, with the bottleneck that it names or else the request's profile.
    """
    progress = Progress()
    run = workflow.optimize(harness, config, progress)
    left = unjudged(files, run)[: config.candidates]
    most = len(run.evaluations) + len(left)
    if left and most > (run.budget.candidates or most):  # a budget counts what was judged before
        run = workflow.optimize(harness, config.model_copy(update={"candidates": most}), progress)
    for file in left:
        plan = config.state / "plans" / run.id / f"{file.stem}.json"
        write_text(plan, wire.text(_plan(file, run), indent=1) + "\n")
        try:
            run, _ = workflow.submit(run.id, file, plan, config, progress)
        except UsageError as error:  # its minutes are over, or the file says nothing new: the others' verdicts stand
            progress(f"{file.name}: {error}")
    return run


def _plan(file: Path, run: Run) -> Plan:
    words = " ".join(file.with_suffix(".md").read_text().split())
    named = NAMED.match(words)
    known = named is not None and named[1] in get_args(Bottleneck)
    seen = run.baseline.bottleneck if run.baseline else "unknown"
    return wire.load(Plan, {"bottleneck": named[1] if named and known else seen, "edit": file.stem, "why": words})


def _id(file: Path) -> str:
    return wire.digest(file.read_text())
