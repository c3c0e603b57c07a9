"""Candidates to verdicts: by the executor that the settings name, on every GPU, and once each in a run."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from kmaint import evaluate
from kmaint.config import Config
from kmaint.errors import MissingError, UsageError
from kmaint.evaluate.executors import RIVALS, Executor, ForTheBest, Local, Work
from kmaint.records.evaluation import Candidate, Evaluation
from kmaint.records.harness import Harness
from kmaint.store import Store

Progress = Callable[[str], None]

RUNG = "rung"
"""The kind of the events that say what is under way: {"candidate": id, "doing": a rung's name, or more words}."""


@contextlib.contextmanager
def open_executor(config: Config, progress: Progress, *, best: bool = False) -> Iterator[Executor]:
    """The executor of the settings, for as long as the block lasts. MissingError where what it needs is not there.

    `best` of the candidates of one harness is all that is wanted: others are judged no further than shows that.
    """
    if config.executor == "ray":
        if best:
            raise UsageError(
                "--best: not with --executor ray, whose processes do not know who has won", "leave one out"
            )
        from kmaint.evaluate.executors.ray_cluster import open_cluster  # the extra `ray`, only where it is asked for

        with open_cluster(
            config.python, address=config.ray, device=config.device, jobs=config.jobs, progress=progress
        ) as cluster:
            yield cluster
        return
    benches = evaluate.open_benches(config.python, device=config.device, progress=progress)
    if best and benches[0].device == "none":
        raise MissingError("--best: nothing can be timed without a GPU", "leave it out, or check on a machine with one")
    with evaluate.warmed(benches[0]) as first:
        others = [dataclasses.replace(one, warm=first.warm, originals=first.originals) for one in benches[1:]]
        how: dict[str, Any] = {"judge": ForTheBest(), "rivals": RIVALS} if best else {}
        yield Local([first, *others], jobs=config.jobs, **how)


@dataclass(frozen=True)
class RunClaims:
    """Who judges what in a run, as its store has it."""

    store: Store
    run_id: str

    def claim(self, candidate: Candidate) -> Evaluation | Literal["ours", "theirs"]:
        said = self.store.claim(self.run_id, candidate.id)
        if said != "judged":
            return said
        found = self.store.evaluation(self.run_id, candidate.id)
        assert found is not None  # a verdict is never taken back
        return found

    def release(self, candidate: Candidate) -> None:
        self.store.release(self.run_id, candidate.id)


def judge_in_run(
    executor: Executor, harness: Harness, candidates: Sequence[Candidate], store: Store, run_id: str
) -> Iterator[Evaluation]:
    """Yield each candidate's evaluation once it is recorded; what other processes judge of them is waited for."""
    work = Work(harness=harness, candidates=tuple(candidates), claims=RunClaims(store, run_id))
    for evaluation in executor.judge(work):
        store.record(run_id, evaluation)
        yield evaluation


def _check_and_tell(
    state: Path, run_id: str, harness: Harness, candidate: Candidate, bench: evaluate.Bench
) -> Evaluation:
    """The gate's verdict; each rung is noted with the run as it is begun, for who watches."""

    def tell(text: str) -> None:
        bench.progress(text)
        with Store(state) as store:  # one of its own: the gate runs in a thread, and a connection stays in its
            store.note(run_id, RUNG, {"candidate": candidate.id, "doing": text})

    return evaluate.check(harness, candidate, dataclasses.replace(bench, progress=tell))


def judge_of_run(
    bench: evaluate.Bench, harness: Harness, store: Store, run_id: str
) -> Callable[[Candidate], Evaluation]:
    """Judges one candidate of a run at a time, on this bench; its verdict is recorded when it is given back."""
    executor = Local([bench], jobs=1, judge=partial(_check_and_tell, store.state, run_id))

    def judge(candidate: Candidate) -> Evaluation:
        (found,) = judge_in_run(executor, harness, [candidate], store, run_id)
        return found

    return judge
