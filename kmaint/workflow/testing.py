"""What is held against a harness: its own suite, planted defects, the shipped op, and candidates."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import testgen
import testgen.mutation
from kmaint import evaluate, folder, wire
from kmaint.config import Config
from kmaint.errors import UsageError
from kmaint.evaluate.executors import Work
from kmaint.judging import open_executor
from kmaint.records.evaluation import Candidate, Evaluation, Plan
from kmaint.records.harness import Harness, Suite
from kmaint.records.mutation import Judged, Mutation
from kmaint.records.parity import Parity
from kmaint.workflow.progress import Progress

DRAWN, DRAW_SEED = 120, 20_261_129
"""Cases of the larger draw that a surviving mutant is held against: the same for every mutant and every run."""


def write_tests(harness: Harness, config: Config, progress: Progress) -> Suite:
    """The harness's suite, once it is known what the original takes beyond its contract."""
    if harness.language == "triton":
        progress(f"trying what {harness.entry} takes")
        testgen.try_original(harness, str(config.python))
    return testgen.write_suite(harness)


def check(
    harness: Harness, files: Sequence[Path], config: Config, progress: Progress, *, best: bool = False
) -> list[Evaluation]:
    """What the gate says of candidate files, in their order; where the `best` is wanted, of most only `slower`."""
    candidates = [_given(file) for file in files]
    with open_executor(config, progress, best=best) as executor:
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
    if harness.language == "cuda":
        raise UsageError(f"{harness.folder}: defects are planted into Python, and this is CUDA C++", "")
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
