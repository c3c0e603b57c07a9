"""A harness to a run: the search, every verdict kept as it comes."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from kmaint import agent, evaluate, folder, wire
from kmaint.config import Config
from kmaint.errors import MissingError, UsageError
from kmaint.judging import judge_of_run
from kmaint.records.evaluation import Evaluation, speedup
from kmaint.records.exchange import EXCHANGE, Exchange
from kmaint.records.harness import Harness
from kmaint.records.run import Run, RunState
from kmaint.records.workload import Json
from kmaint.store import Store
from kmaint.workflow.progress import Progress
from kmaint.workflow.remembering import learned
from kmaint.workflow.runs import place_of

WHOLE_FILES = ("scripted", "handoff", "command")
"""Providers whose answer is a whole file, whatever its language."""
IN_BULK = ("openai", "anthropic", "command")
"""Providers whose answers nobody has timed roughly, and which give as many as they are asked for."""


def optimize(
    harness: Harness, config: Config, progress: Progress, *, handed_in: Sequence[agent.Submission] = ()
) -> Run:
    """Search for a faster variant until the budget ends or an answer is awaited, keeping every verdict as it comes.

    `handed_in` answers what the handoff provider asked for.
    """
    _refuse_what_cannot_be_improved(harness, config)
    agent.check_settings(config)
    cold = _bench_for(harness, config, progress)
    with Store(config.state) as store, evaluate.warmed(cold) as bench:
        run = store.begin(_new_run(harness, config, bench))
        budget = agent.budget_of(config)
        handed = bool(handed_in) or config.provider == "scripted"
        again = budget.exceeds(run.budget) or (handed and run.state == "at_roofline")
        if run.state != "running" and not again:
            progress(f"run {run.id} is finished: {run.state}")
            return run
        run = store.start(run.id, budget)
        progress(f"run {run.id}: {len(run.evaluations)} verdicts so far")
        session = agent.open_session(
            harness,
            bench,
            config,
            note=partial(_note, store, run.id, progress),
            events=store.events(run.id),
            folder=place_of(run.id, config),
            remember=partial(learned, store, config),
        )
        bench = replace(bench, only_wins=config.provider in IN_BULK)
        session = replace(session, judge=judge_of_run(bench, harness, store, run.id), handed=handed)
        if isinstance(session.provider, agent.Handoff):
            session.provider.submissions.extend(handed_in)
        store.keep_baseline(run.id, session.baseline)
        for evaluation in agent.improve(session, run.evaluations):
            store.record(run.id, evaluation)
            progress(_line(evaluation))
        winner = agent.choose_winner(store.run(run.id).evaluations)
        state = _end_state(store.events(run.id)[-1].kind, winner)
        return store.finish(run.id, state, winner.candidate.id if winner else None)


def _bench_for(harness: Harness, config: Config, progress: Progress) -> evaluate.Bench:
    """MissingError where nothing of the harness can be judged on it."""
    cold = evaluate.open_bench(config.python, device=config.device, progress=progress)
    if harness.language == "cuda" and cold.device == "none":
        raise MissingError(
            f"{harness.folder}: CUDA C++ has no interpreter, so no candidate of it can be judged here",
            "optimise it on a machine with a GPU",
        )
    return cold


def _refuse_what_cannot_be_improved(harness: Harness, config: Config) -> None:
    if harness.language == "cuda" and config.provider not in WHOLE_FILES:
        raise UsageError(
            f"provider {config.provider!r} edits Python, and {harness.replaced.name} is CUDA C++",
            f"take one of {', '.join(WHOLE_FILES)}",
        )
    if not (harness.folder / folder.SUITE).is_file():
        raise UsageError(
            f"{harness.folder}: no {folder.SUITE} in it", f"write one with 'kmaint testgen {harness.folder}'"
        )
    parity = folder.read_parity(harness.folder)
    if parity is not None and parity.refuses:
        raise UsageError(
            f"{harness.folder}: not the shipped op, so not worth optimising: {parity.reason}",
            "extract it again, then 'kmaint parity'",
        )


def _note(store: Store, run_id: str, progress: Progress, kind: str, payload: Json) -> None:
    """Keep an event of the run; what was asked of a model or an agent is said as well, since it may have taken long."""
    store.note(run_id, kind, payload)
    if kind == EXCHANGE:
        said = wire.load(Exchange, payload)
        took = f"{said.usage.tokens:,} tokens, {said.seconds:.1f} s" if said.usage.requests else f"{said.seconds:.1f} s"
        progress(f"{said.role} ({said.model}): {took}{f'; of no use: {said.fault}' if said.fault else ''}")


def _end_state(last: str, winner: Evaluation | None) -> RunState:
    """By the kind of the run's last event, and by its winner."""
    if last == agent.AWAITED:
        return "running"
    if last == agent.LEFT:
        return "at_roofline"
    if winner is None:
        return "no_win"
    return "won" if speedup(winner) else "estimated"


def _new_run(harness: Harness, config: Config, bench: evaluate.Bench) -> Run:
    """Its id names the content: the same kernel, suite, settings and machine give the same run, so it is resumed."""
    files = (folder.KERNEL, folder.WORKLOADS, folder.SUITE, harness.replaced.name)
    content = {name: (harness.folder / name).read_text() for name in files}
    settings = [config.provider, config.strategy, bench.environment.device, bench.environment.triton]
    if model := agent.model_of(config):
        settings.append(model)
    return Run(
        id=f"{harness.kernel.strip('_')}-{wire.digest({'files': content, 'settings': settings}, length=8)}",
        harness=str(harness.folder),
        kernel=harness.id,
        provider=config.provider,
        strategy=config.strategy,
        budget=agent.budget_of(config),
        state="running",
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        environment=bench.environment,
    )


def _line(evaluation: Evaluation) -> str:
    verdict = evaluation.verdict
    said = getattr(verdict, "reason", "") or ("win" if getattr(verdict, "win", False) else "")
    return f"candidate {evaluation.candidate.id} ({evaluation.candidate.plan.edit}): {verdict.kind} {said}".rstrip()
