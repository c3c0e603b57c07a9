"""Takes every prepared harness through the gate, each way, and writes each run as it ends."""

from __future__ import annotations

import argparse
import dataclasses
import os
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.campaign import recorded
from benchmarks.campaign.handing import files_for, hand_in, unjudged
from benchmarks.campaign.kernels import Entry, read_entries
from benchmarks.campaign.preparing import HARNESSES, ready
from benchmarks.campaign.recorded import WAYS, Recorded, Way
from benchmarks.campaign.shipping import against_shipped, contender
from kmaint import wire, workflow
from kmaint.agent.screening import TABLE, remembered
from kmaint.config import Config, load_config
from kmaint.console import Progress
from kmaint.errors import KmaintError
from kmaint.evaluate import Screened
from kmaint.folder import read_harness
from kmaint.records.evaluation import Evaluation
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.store import Store


@dataclass(frozen=True, kw_only=True)
class Job:
    """One harness, one way to candidates for it, where the run is written to, and where shipped operators are."""

    entry: Entry
    harness: Harness
    way: Way
    out: Path
    config: Config
    files: tuple[Path, ...] = ()
    """Candidates to hand in."""
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
        files = files_for(one.harness)
        for way in WAYS:
            possible = files if way == "handoff" else harness.language == "triton"
            if not possible or options.provider not in (None, way):
                continue
            state = options.folder.resolve() / "state" / way
            yield Job(
                entry=entries[one.id, one.release],
                harness=harness,
                way=way,
                out=options.out / one.harness / f"{way}.json",
                config=load_config(
                    provider=way,
                    candidates=options.candidates,
                    minutes=options.minutes,
                    state=state,
                    device=options.device,
                ),
                files=files if way == "handoff" else (),
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
    return not unjudged(job.files, found.run)


def take(job: Job) -> Recorded:
    """The run, what it used up, and its winner through the whole gate once more."""
    if job.files:
        found = hand_in(job.harness, job.files, job.config)
    else:
        found = workflow.optimize(job.harness, job.config, Progress())
    ((_, spent),) = workflow.spent_by([found.id], job.config)
    again, shipped = None if job.once else passed_again(job, found), None
    if job.entry.shipped:
        source = contender(found, job.harness)
        shipped = against_shipped(job.entry, job.harness, source, job.paths, job.config)
    return Recorded(
        harness=_plain(job.harness),
        run=found,
        spent=spent,
        again=again,
        shipped=shipped,
        screened=_screened(job, found),
    )


def _screened(job: Job, run: Run) -> Mapping[str, Screened]:
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
