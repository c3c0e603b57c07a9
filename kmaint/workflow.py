"""The road, in prose: each function is one command, and `maintain` is all of them in a row."""

from __future__ import annotations

import datetime
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import extract
import reintegrate
import reports
import testgen
import testgen.mutation
from kmaint import agent, evaluate, folder, wire
from kmaint.config import Config
from kmaint.errors import UsageError
from kmaint.evaluate.executors import Work
from kmaint.judging import judge_of_run, open_executor
from kmaint.records.call import Capture
from kmaint.records.change import Landing
from kmaint.records.evaluation import Candidate, Evaluation, Plan, speedup
from kmaint.records.harness import Extraction, Harness, Suite
from kmaint.records.kernel import Kernel, Scan
from kmaint.records.mutation import Judged, Mutation
from kmaint.records.parity import Parity
from kmaint.records.run import Budget, Run, RunState
from kmaint.store import Store

Progress = Callable[[str], None]

MOST_WORTH_IT = 3
"""How many kernels `maintain` takes up when none is named."""

LANDING = "landing.json"

DRAWN, DRAW_SEED = 120, 20_261_129
"""Cases of the larger draw that a surviving mutant is held against: the same for every mutant and every run."""


@dataclass(frozen=True, kw_only=True)
class Maintained:
    """What became of one kernel: as far as it got, and the files that say so."""

    extraction: Extraction
    run: Run | None = None
    landing: Landing | None = None
    report: Path | None = None
    pull_request: Path | None = None


def maintain(tree: Path, kernels: Sequence[str], config: Config, progress: Progress) -> list[Maintained]:
    """Take each kernel from the tree to a branch with a patch, a report and a pull-request text.

    Resumable: what an earlier call with the same tree, kernel and settings finished is read back, not done again.
    """
    progress(f"scanning {tree}")
    scan = extract.scan_tree(tree)
    chosen = [extract.find_kernel(scan, text) for text in kernels] or most_worth_it(scan)
    return [maintain_kernel(tree, scan, kernel, config, progress) for kernel in chosen]


def maintain_kernel(tree: Path, scan: Scan, kernel: Kernel, config: Config, progress: Progress) -> Maintained:
    """One kernel down the whole road; it ends early, with its reason, where a stage says no."""
    progress(f"extracting {kernel.id}")
    into, sources = config.state / "harnesses", extract.Sources(tests=True)
    extraction = extract_kernel(
        tree, scan, extract.Wanted(kernel=kernel), into, config, sources=sources, progress=progress
    )
    if extraction.folder is None or extraction.state != "ready":
        return Maintained(extraction=extraction)
    harness = folder.read_harness(extraction.folder)
    suite = write_tests(harness, config, progress)
    progress(f"wrote {len(suite.properties)} properties with {suite.examples} examples to {suite.path}")
    parity = folder.read_parity(harness.folder) or hold(harness, config, progress, tree=tree)
    progress(f"parity: {parity.state} {parity.reason}".rstrip())
    if parity.refuses:
        return Maintained(extraction=replace(extraction, state="imports", reason=f"parity: {parity.reason}"))
    run = optimize(harness, config, progress)
    landing = land(run, tree, config, progress) if run.winner else None
    report, pull_request = write_reports(run, config, landing)
    return Maintained(extraction=extraction, run=run, landing=landing, report=report, pull_request=pull_request)


def write_tests(harness: Harness, config: Config, progress: Progress) -> Suite:
    """The harness's suite, once it is known what the original takes beyond its contract."""
    if harness.language == "triton":
        progress(f"trying what {harness.entry} takes")
        testgen.try_original(harness, str(config.python))
    return testgen.write_suite(harness)


def sources_of(tree: Path, record: Path | None, *, tests: bool) -> extract.Sources:
    """Where workloads are to come from: the calls of a capture's record, then the framework's tests and benchmarks."""
    return extract.Sources(captured=extract.calls_for_tree(record, tree) if record else {}, tests=tests)


def extract_kernel(
    tree: Path,
    scan: Scan,
    wanted: extract.Wanted,
    into: Path,
    config: Config,
    *,
    sources: extract.Sources,
    progress: Progress,
) -> Extraction:
    """One kernel's harness with its suite, tried out with the interpreter of the settings; of CUDA, built by nvcc."""
    python = str(config.python)
    if wanted.kernel.language == "cuda":
        return extract.extract_cuda(tree, scan, wanted.kernel, into, launcher=wanted.launcher, python=python)
    return extract.extract_kernel(
        tree, scan, wanted, into, testgen.write_suite, python=python, sources=sources, progress=progress
    )


@dataclass(frozen=True, kw_only=True)
class ExtractedTree:
    """What became of every launched Triton kernel of a tree, by id; `reused` were finished by an earlier call."""

    extractions: list[Extraction]
    reused: int
    seconds: float


def extract_all(
    tree: Path, scan: Scan, into: Path, config: Config, status: Progress, *, sources: extract.Sources
) -> ExtractedTree:
    """Every launched Triton kernel's harness with its suite, as many at a time as there are cores. Resumable."""
    started, done, reused = time.monotonic(), list[Extraction](), 0
    total, python = len(extract.launched(scan)), str(config.python)
    for ended, known in extract.extract_all(tree, scan, into, testgen.write_suite, python=python, sources=sources):
        done.append(ended)
        reused += known
        status(_extracting(done, reused, total, time.monotonic() - started))
    return ExtractedTree(
        extractions=sorted(done, key=lambda ended: ended.id), reused=reused, seconds=time.monotonic() - started
    )


def _extracting(done: Sequence[Extraction], reused: int, total: int, seconds: float) -> str:
    """How far it is, at which rate and for how long still."""
    states = Counter(ended.state for ended in done)
    rate = (len(done) - reused) / seconds if seconds else 0.0
    left = f", {(total - len(done)) / rate:.0f} s left" if rate else ""
    known = f", {reused} as they were" if reused else ""
    return (
        f"{len(done)} of {total}: {states['ready']} ready, {states['imports']} import, {states['stopped']} stopped"
        f"{known}; {rate:.1f} a second{left}"
    )


def most_worth_it(scan: Scan) -> list[Kernel]:
    """Without a trace: the launched Triton kernels that kmaint knows how to call, those with most callers first."""
    framework = scan.release.framework
    launched = [k for k in scan.kernels if k.role == "kernel" and k.launchers and extract.is_catalogued(k, framework)]
    return sorted(launched, key=lambda k: (-sum(len(host.callers) for host in k.launchers), k.id))[:MOST_WORTH_IT]


def capture(
    command: Sequence[str], record: Path, progress: Progress, *, tree: Path | None = None, kernels: Sequence[str] = ()
) -> tuple[Capture, int]:
    """Run a command and write down how it calls kernels, all or those named; that, and the command's exit status.

    Without a tree, the framework that the command's own Python would import names them.
    """
    tree = tree or extract.framework_of(command)
    progress(f"scanning {tree}")
    scan = extract.scan_tree(tree)
    chosen = [extract.find_kernel(scan, text) for text in kernels]
    watched = extract.targets(tree, chosen or scan.kernels)
    if not watched:
        raise UsageError(f"{tree}: no kernel in it is launched", "see 'kmaint scan'")
    progress(f"watching {len(watched)} launchers and kernels")
    return extract.run_captured(command, watched, scan.release, record)


def check(harness: Harness, files: Sequence[Path], config: Config, progress: Progress) -> list[Evaluation]:
    """What the gate says of candidate files, in their order."""
    candidates = [_given(file) for file in files]
    with open_executor(config, progress) as executor:
        work = Work(harness=harness, candidates=tuple(candidates))
        found = {evaluation.candidate.id: evaluation for evaluation in executor.judge(work)}
    return [found[candidate.id] for candidate in candidates]


def _given(file: Path) -> Candidate:
    try:
        source = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read: {error}", "name a candidate kernel.py") from error
    plan = Plan(bottleneck="unknown", edit="given", why=f"given as {file.name}")
    return Candidate(id=wire.digest(source), source=source, parent=None, plan=plan, provider="given")


def mutate(
    harness: Harness, config: Config, status: Progress, *, most: int | None = None, jobs: int | None = None
) -> Mutation:
    """Plant small defects into the kernel and its launcher, and see which of them the suite notices. Resumable."""
    if not (harness.folder / folder.SUITE).is_file():
        raise UsageError(
            f"{harness.folder}: no {folder.SUITE} in it", f"write one with 'kmaint testgen {harness.folder}'"
        )
    started, kept = time.monotonic(), evaluate.Kept(harness.folder)
    mutants, planted = testgen.mutation.mutants((harness.folder / folder.KERNEL).read_text(), harness.entry, most=most)
    judged = [found for mutant in mutants if (found := kept.find(mutant))]
    reused, known = len(judged), {one.id for one in judged}
    new = [mutant for mutant in mutants if mutant.id not in known]
    cases = testgen.mutation.drawn(harness.contract, DRAWN, DRAW_SEED)
    for one in evaluate.judge_mutants(harness, new, cases, config.python, jobs=jobs or evaluate.cores()):
        kept.add(one)
        judged.append(one)
        status(_mutating(judged, len(mutants), reused, time.monotonic() - started))
    return Mutation(
        harness=harness.id,
        judged=tuple(judged),
        planted=planted,
        reused=reused,
        seconds=round(time.monotonic() - started, 1),
    )


def _mutating(judged: Sequence[Judged], total: int, reused: int, seconds: float) -> str:
    states = Counter(one.state for one in judged)
    rate = (len(judged) - reused) / seconds if seconds else 0.0
    left = f"; {(total - len(judged)) / rate:.0f} s left" if rate else ""
    return (
        f"{len(judged)} of {total} mutants: {states['killed']} killed, {states['survived']} survived, "
        f"{states['rounding']} rounding, {states['unchanged']} unchanged, {states['not_built']} not built{left}"
    )


def hold(
    harness: Harness, config: Config, progress: Progress, *, paths: Sequence[Path] = (), tree: Path | None = None
) -> Parity:
    """What came of holding the harness against the shipped op; kept in its folder."""
    with evaluate.warmed(evaluate.open_bench(config.python, progress=progress)) as bench:
        found = evaluate.hold(harness, bench, paths=paths, tree=tree)
    folder.write_parity(harness.folder, found)
    return found


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


def land(run: Run, tree: Path, config: Config, progress: Progress, *, branch: str | None = None) -> Landing:
    """The winner of a run as one commit on a branch of the tree; what an earlier call landed is read back."""
    if run.winner is None:
        raise UsageError(
            f"run {run.id} has no winner ({run.state}), so nothing to land", f"see 'kmaint report {run.id}'"
        )
    earlier = earlier_landing(run, config)
    if (
        earlier
        and branch in (None, earlier.branch)
        and Path(earlier.tree) == tree.resolve()
        and reintegrate.stands(earlier)
    ):
        return earlier
    harness = folder.read_harness(Path(run.harness))
    patch = reintegrate.patch_of(harness, run.winner.candidate.source)
    message = reintegrate.commit_message(run, harness)
    landing = reintegrate.land(
        patch, tree, branch=branch or f"kmaint/{run.id}", message=message, into=run_folder(run, config)
    )
    progress(f"landed on {landing.branch}: {landing.stat}")
    folder.write_text(run_folder(run, config) / LANDING, wire.text(landing, indent=1))
    return landing


def earlier_landing(run: Run, config: Config) -> Landing | None:
    """What `land` wrote down for this run, if it did."""
    kept = run_folder(run, config) / LANDING
    return wire.load(Landing, json.loads(kept.read_text())) if kept.is_file() else None


def write_reports(run: Run, config: Config, landing: Landing | None) -> tuple[Path, Path]:
    """report.html and pull_request.md of a run, in its folder."""
    harness = folder.read_harness(Path(run.harness))
    into = run_folder(run, config)
    pull_request = into / "pull_request.md"
    folder.write_text(pull_request, reports.pull_request_text(run, harness, landing))
    return reports.write_report(run, harness, landing, into / "report.html"), pull_request


def run_folder(run: Run, config: Config) -> Path:
    """Where a run's report, texts and patch lie; made when asked for."""
    path = config.state / "runs" / run.id
    path.mkdir(parents=True, exist_ok=True)
    return path


def find_run(text: str, config: Config) -> Run:
    """The run with that id, or the only one that begins so."""
    with Store(config.state) as store:
        return store.run(text)


def all_runs(config: Config) -> list[Run]:
    """Every run of the state folder, oldest first."""
    with Store(config.state) as store:
        return store.runs()
