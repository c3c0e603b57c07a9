"""Takes every prepared harness through the gate, each way, and writes each run as it ends."""

from __future__ import annotations

import argparse
import dataclasses
import os
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.campaign import recorded
from benchmarks.campaign.kernels import HOME, Entry, read_entries
from benchmarks.campaign.preparing import HARNESSES, ready
from benchmarks.campaign.recorded import WAYS, Recorded, Way
from benchmarks.campaign.shipping import against_shipped, contender
from kmaint import wire, workflow
from kmaint.agent.screening import TABLE, remembered
from kmaint.agent.scripted import candidate_files
from kmaint.config import Config, load_config
from kmaint.console import Progress
from kmaint.errors import KmaintError
from kmaint.evaluate import Screened
from kmaint.folder import read_harness
from kmaint.records.evaluation import Evaluation
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.store import Store

HANDOFF = HOME / "handoff"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One harness, one way to candidates for it, where the run is written to, and where shipped operators are."""

    entry: Entry
    harness: Harness
    way: Way
    out: Path
    config: Config
    paths: tuple[Path, ...] = ()
    once: bool = False
    """Whether a winner is left with the gate's own confirmation."""

    @property
    def name(self) -> str:
        return f"{self.harness.folder.name} {self.way}"


def run(options: argparse.Namespace) -> int:
    """Do all jobs that are left, whatever becomes of each; exit status 1 where one failed."""
    if options.cores:
        os.sched_setaffinity(0, options.cores)
    failed = 0
    for job in jobs(options):
        if is_done(job):
            print(f"{job.name}: as it was recorded", flush=True)
            continue
        try:
            found = take(job)
        except KmaintError as error:
            failed, said = failed + 1, str(error)
        except Exception:  # noqa: BLE001 - our own fault in one harness must not lose the others
            failed, said = failed + 1, traceback.format_exc()
        else:
            recorded.write(job.out, found)
            said = _line(found)
        print(f"{job.name}: {said}", flush=True)
    return int(failed > 0)


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """builtin and then the candidates at hand, for each harness that can be judged.

    Each way has a state folder of its own: what builtin remembers of earlier wins must not come from other candidates.
    """
    entries = {(entry.id, entry.release): entry for entry in read_entries()}
    found = list(ready(options.folder))
    named = [one for one in found if one.harness == options.only]
    for one in named or [one for one in found if options.only in one.harness]:
        harness = read_harness((options.folder / HARNESSES / one.harness).resolve())
        builtin = {"builtin": {"provider": "builtin", "candidates": options.candidates}}
        settings = builtin if harness.language == "triton" else {}
        files = candidate_files(HANDOFF / one.harness)
        if files:
            # The quickest by a rough look go first, where not all can be taken.
            strategy = "beam" if len(_firsts(files)) > options.candidates else "greedy"
            settings["handoff"] = {
                "provider": "scripted",
                "scripted": files[0].parent,
                "strategy": strategy,
                "candidates": options.candidates,
            }
        for way in WAYS:
            if way not in settings or options.provider not in (None, settings[way]["provider"]):
                continue
            state = options.folder.resolve() / "state" / way
            yield Job(
                entry=entries[one.id, one.release],
                harness=harness,
                way=way,
                out=options.out / one.harness / f"{way}.json",
                config=load_config(**settings[way], state=state, minutes=options.minutes, device=options.device),
                paths=tuple(options.shipped),
                once=options.once,
            )


def is_done(job: Job) -> bool:
    """Whether this very harness was run, on a GPU if one may be there, with all candidates that there are now."""
    found = recorded.read(job.out)
    if found is None or found.run.state == "running":
        return False
    if found.harness != _plain(job.harness):
        return False
    if job.config.device != "none" and (found.run.environment is None or found.run.environment.device is None):
        return False
    return not _unseen(job, found.run, found.screened)


def _unseen(job: Job, run: Run, screened: Mapping[str, Screened]) -> list[Path]:
    """Candidate files at hand that the run neither judged nor screened; repairs are for a first one that failed."""
    if job.config.scripted is None:
        return []
    judged = {evaluation.candidate.id for evaluation in run.evaluations} | set(screened)
    firsts = _firsts(candidate_files(job.config.scripted))
    return [path for path in firsts if wire.digest(path.read_text()) not in judged]


def _firsts(files: Iterable[Path]) -> list[Path]:
    """Without the repairs."""
    return [path for path in files if path.name.count(".") == 1]


def take(job: Job) -> Recorded:
    """The run, what it used up, and its winner through the whole gate once more."""
    progress = Progress()
    before = _judged(job)
    found = workflow.optimize(job.harness, job.config, progress)
    if before.get(found.id) == len(found.evaluations) and _unseen(job, found, _screened(job, found)):
        # A budget counts what was judged before: files that came since need room beyond it.
        more = {"candidates": len(found.evaluations) + job.config.candidates}
        found = workflow.optimize(job.harness, job.config.model_copy(update=more), progress)
    ((_, spent),) = workflow.spent_by([found.id], job.config)
    again, shipped = None if job.once else passed_again(job, found), None
    if job.entry.shipped:
        source = contender(found, job.harness)
        shipped = against_shipped(job.entry, job.harness, source, job.paths, job.config)
    screened = _screened(job, found)
    return Recorded(
        harness=_plain(job.harness), run=found, spent=spent, again=again, shipped=shipped, screened=screened
    )


def _judged(job: Job) -> dict[str, int]:
    """How many candidates each run of the state has judged, by run id."""
    with Store(job.config.state) as store:
        return {run.id: len(run.evaluations) for run in store.runs()}


def _screened(job: Job, run: Run) -> dict[str, Screened]:
    """What came of the rough look at many variants, by candidate id."""
    with Store(job.config.state) as store:
        return remembered(event.payload for event in store.events(run.id) if event.kind == TABLE)


def passed_again(job: Job, found: Run) -> Evaluation | None:
    """The winner judged anew from the first rung on: new processes and new seeds, nothing kept from the run."""
    if found.winner is None:
        return None
    place = job.config.state / "again" / found.id / job.harness.replaced.name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(found.winner.candidate.source)
    (evaluation,) = workflow.check(job.harness, [place], job.config, Progress())
    return dataclasses.replace(evaluation, candidate=found.winner.candidate)


def _plain(harness: Harness) -> dict[str, object]:
    return {**wire.dump(harness), "folder": harness.folder.name}


def _line(found: Recorded) -> str:
    timing = found.timing
    ratio = f", {timing.speedup.ratio:.3f}x" if timing else f", {found.failure}"
    again = recorded.timing_of(found.again) if found.again else None
    return f"{found.run.state}{ratio}{f'; again {again.speedup.ratio:.3f}x' if again else ''}"
