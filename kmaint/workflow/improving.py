"""A harness to a run: the search, every verdict kept as it comes."""

from __future__ import annotations

import datetime
from dataclasses import replace
from functools import partial

from kmaint import agent, evaluate, folder, wire
from kmaint.config import Config
from kmaint.errors import UsageError
from kmaint.judging import judge_of_run
from kmaint.records.evaluation import Evaluation, speedup
from kmaint.records.harness import Harness
from kmaint.records.run import Budget, Run, RunState
from kmaint.store import Store
from kmaint.workflow.progress import Progress


def optimize(harness: Harness, config: Config, progress: Progress) -> Run:
    """Search for a faster variant until the budget ends, keeping every verdict as it comes."""
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
    cold = evaluate.open_bench(config.python, device=config.device, progress=progress)
    with Store(config.state) as store, evaluate.warmed(cold) as bench:
        run = store.begin(_new_run(harness, config, bench))
        if run.state != "running" and config.candidates <= (run.budget.candidates or 0):
            progress(f"run {run.id} is finished: {run.state}")
            return run
        run = store.start(run.id, Budget(candidates=config.candidates, minutes=config.minutes))
        progress(f"run {run.id}: {len(run.evaluations)} verdicts so far")
        session = agent.open_session(
            harness, bench, config, note=partial(store.note, run.id), events=store.events(run.id)
        )
        session = replace(session, judge=judge_of_run(bench, harness, store, run.id))
        store.keep_baseline(run.id, session.baseline)
        for evaluation in agent.improve(session, run.evaluations):
            store.record(run.id, evaluation)
            progress(_line(evaluation))
        winner = agent.choose_winner(store.run(run.id).evaluations)
        return store.finish(run.id, _end_state(winner), winner.candidate.id if winner else None)


def _end_state(winner: Evaluation | None) -> RunState:
    if winner is None:
        return "no_win"
    return "won" if speedup(winner) else "estimated"


def _new_run(harness: Harness, config: Config, bench: evaluate.Bench) -> Run:
    """Its id names the content: the same kernel, suite, settings and machine give the same run, so it is resumed."""
    content = {name: (harness.folder / name).read_text() for name in (folder.KERNEL, folder.WORKLOADS, folder.SUITE)}
    settings = (config.provider, config.strategy, bench.environment.device, bench.environment.triton)
    return Run(
        id=f"{harness.kernel.strip('_')}-{wire.digest({'files': content, 'settings': settings}, length=8)}",
        harness=str(harness.folder),
        kernel=harness.id,
        provider=config.provider,
        strategy=config.strategy,
        budget=Budget(candidates=config.candidates, minutes=config.minutes),
        state="running",
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        environment=bench.environment,
    )


def _line(evaluation: Evaluation) -> str:
    verdict = evaluation.verdict
    said = getattr(verdict, "reason", "") or ("win" if getattr(verdict, "win", False) else "")
    return f"candidate {evaluation.candidate.id} ({evaluation.candidate.plan.edit}): {verdict.kind} {said}".rstrip()
