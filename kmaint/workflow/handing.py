"""A run whose proposals come from outside: what it asks next, and what becomes of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kmaint import agent, folder, wire
from kmaint.config import Config
from kmaint.errors import UsageError
from kmaint.records.evaluation import Evaluation
from kmaint.records.exchange import EXCHANGE
from kmaint.records.run import Run
from kmaint.store import Store
from kmaint.workflow.improving import optimize
from kmaint.workflow.progress import Progress
from kmaint.workflow.runs import find_run


def next_request(run_id: str, config: Config, progress: Progress) -> Run:
    """The run, waiting for an answer to a request that is on disk; an answer that a kill left unjudged is judged."""
    return _go_on(find_run(run_id, config), config, progress, [])


def submit(
    run_id: str, file: Path, plan: Path | None, config: Config, progress: Progress
) -> tuple[Run, tuple[Evaluation, ...]]:
    """Take an answer and record it, then the verdicts that it brought: its own first, if that is among them.

    Where the strategy weighs several answers to a turn, the last of them may bring the verdicts on others, and those
    before bring none. UsageError where it is no answer, or the run takes no more: then nothing was recorded.
    """
    asked = find_run(run_id, config)
    handed = agent.Submission(file=file, plan=agent.read_plan(plan) if plan else None)
    answers = _answers(asked, config)
    run = _go_on(asked, config, progress, [handed])
    identity = wire.digest(file.read_text()) if file.is_file() else ""
    new = run.evaluations[len(asked.evaluations) :]
    if not new and _answers(run, config) == answers:
        raise UsageError(
            f"run {run.id} takes no more: {_why_it_stopped(run, config)}",
            f"allow it more: 'kmaint optimize {run.harness} --provider handoff --candidates N'",
        )
    return run, tuple(sorted(new, key=lambda one: one.candidate.id != identity))


def _go_on(run: Run, config: Config, progress: Progress, handed_in: Sequence[agent.Submission]) -> Run:
    if run.provider != "handoff":
        raise UsageError(
            f"run {run.id} is by provider {run.provider!r}, which asks nobody outside",
            f"begin one with 'kmaint optimize {run.harness} --provider handoff'",
        )
    harness = folder.read_harness(Path(run.harness))
    as_begun = {
        "provider": run.provider,
        "strategy": run.strategy,
        "candidates": run.budget.candidates,
        "minutes": run.budget.minutes,
    }
    found = optimize(harness, config.model_copy(update=as_begun), progress, handed_in=handed_in)
    if found.id != run.id:
        raise UsageError(
            f"run {run.id} is of another content of {run.harness}, or of another machine",
            f"the harness as it is has run {found.id}: 'kmaint next {found.id}'",
        )
    return found


def _answers(run: Run, config: Config) -> int:
    """How many answers the run has recorded."""
    with Store(config.state) as store:
        return sum(event.kind == EXCHANGE for event in store.events(run.id))


def _why_it_stopped(run: Run, config: Config) -> str:
    with Store(config.state) as store:
        events = store.events(run.id)
    said = [event.payload for event in events if event.kind == "stopped"]
    return str(said[-1]["reason"]) if said and isinstance(said[-1], dict) else "it proposes this already"
