"""One night over an upstream: what is new in it, whether accepted wins still hold, and the few kernels worth a try."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar, get_args

import extract
import reports
from kmaint import agent, folder
from kmaint.config import Config
from kmaint.errors import KmaintError, UsageError
from kmaint.records.evaluation import speedup
from kmaint.records.kernel import Kernel, Scan
from kmaint.records.night import Night, Snapshot, Step, StepName, StepState, Taken
from kmaint.workflow import diary
from kmaint.workflow.progress import Progress
from kmaint.workflow.rechecking import recheck
from kmaint.workflow.road import MOST_WORTH_IT, Maintained, maintain_kernel, most_worth_it

Given = TypeVar("Given")
Ended = tuple[StepState, str]
"""How a step ended, and one line on it."""

SKIPPED: StepState = "skipped"
FAILED: StepState = "failed"
ENDED: frozenset[StepState] = frozenset({"done", "nothing"})
"""A step that ended so is not done again when the night is gone on with."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which upstream, under which name the night is kept, and how much it may take up.

    `upstream` is a checkout, or a framework for its newest release, or a release such as `sglang==0.5.23`.
    """

    upstream: str
    night: str | None = None
    kernels: int = MOST_WORTH_IT
    minutes: float | None = None
    """No kernel is begun once so many have passed."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why something was not done; `log` is the traceback where the fault is our own."""

    said: str
    log: str = ""


@dataclass(kw_only=True)
class Tonight:
    """The night under way; whatever changes in its record is on disk at once."""

    wanted: Wanted
    config: Config
    progress: Progress
    night: Night
    started: float = field(default_factory=time.monotonic)

    def change(self, night: Night) -> None:
        self.night = night
        diary.keep(self.config.state, night)

    @property
    def minutes_left(self) -> float:
        if self.wanted.minutes is None:
            return self.config.minutes
        return self.wanted.minutes - (time.monotonic() - self.started) / 60

    def scan(self) -> Scan:
        """The tree's kernels: read from what an earlier step kept in the scan's own cache."""
        return extract.scan_tree(Path(self.night.tree))


def nightly(wanted: Wanted, config: Config, progress: Progress) -> tuple[Night, Path]:
    """Every step of a night, each ended in a named state, and the page that sums it up. Resumable.

    A step that fails is said and takes no other with it, except those that cannot do without what it gives.
    """
    agent.check_settings(config)
    framework = _framework(wanted.upstream)
    tonight = Tonight(
        wanted=wanted,
        config=config,
        progress=progress,
        night=diary.open_night(config.state, wanted.night, framework),
    )
    for name, needs, work in STEPS:
        earlier = tonight.night.ended(name)
        if earlier is None or earlier.state not in ENDED or name == "upstream":
            _do(tonight, name, needs, work)
    page = diary.place(config.state, tonight.night) / diary.SUMMARY
    folder.write_text(page, reports.night_summary(tonight.night))
    return tonight.night, page


def _framework(upstream: str) -> str:
    """Whose night it is. UsageError where the upstream is neither a checkout nor a framework."""
    if Path(upstream).is_dir():
        return extract.open_tree(Path(upstream)).framework
    name = upstream.partition("==")[0]
    if name not in extract.FRAMEWORKS:
        names = " or ".join(extract.FRAMEWORKS)
        raise UsageError(f"{upstream}: neither a folder nor a framework", f"name a checkout, or {names}")
    return name


def _do(tonight: Tonight, name: StepName, needs: StepName | None, work: Callable[[Tonight], Ended]) -> None:
    """Take one step and write down how it ended, in place of what an earlier call wrote."""
    started, log = time.monotonic(), ""
    before = tonight.night.ended(needs) if needs else None
    if before is not None and before.state not in ENDED:
        state, said = SKIPPED, f"it needs {needs}"
    else:
        tonight.progress(f"{name} begins")
        found = attempted(lambda: work(tonight))
        state, said = (FAILED, found.said) if isinstance(found, Failure) else found
        log = found.log if isinstance(found, Failure) else ""
    tonight.progress(f"{name}: {state}: {said}")
    step = Step(name=name, state=state, said=said, seconds=round(time.monotonic() - started, 1), log=log)
    steps = {**{one.name: one for one in tonight.night.steps}, name: step}
    tonight.change(replace(tonight.night, steps=tuple(steps[one] for one in get_args(StepName) if one in steps)))


def attempted(work: Callable[[], Given]) -> Given | Failure:
    """What the work gives, or why it failed: our own fault in one step must not lose a night's other steps."""
    try:
        return work()
    except KmaintError as error:
        return Failure(said=str(error))
    except Exception as error:
        said = f"our own fault: {type(error).__name__}: {error}; please report it with the log"
        return Failure(said=" ".join(said.split()), log=traceback.format_exc())


def _upstream(tonight: Tonight) -> Ended:
    """The tree, fetched where it is a release; one that moved on since an earlier call begins the night anew."""
    wanted, state = tonight.wanted.upstream, tonight.config.state
    tree, how = Path(wanted).resolve(), "given"
    if not Path(wanted).is_dir():
        release = wanted if "==" in wanted else extract.newest_release(wanted)
        tree, how = (state / "upstream" / release.replace("==", "-")).resolve(), "fetched"
        extract.fetch_release(release, tree, progress=tonight.progress)
    release_there = extract.open_tree(tree)
    if tonight.night.release not in (None, release_there):
        tonight.change(replace(tonight.night, steps=(), changes=None, taken=()))
    tonight.change(replace(tonight.night, tree=str(tree), release=release_there))
    commit = f" at {release_there.commit[:12]}" if release_there.commit else ""
    return "done", f"{how}: {release_there.framework} {release_there.version or 'of no stated version'}{commit}"


def _scan(tonight: Tonight) -> Ended:
    found = tonight.scan()
    snapshot = Snapshot(release=found.release, kernels=extract.kernel_texts(found))
    diary.keep_snapshot(tonight.config.state, tonight.night, snapshot)
    unread = f", {len(found.problems)} of them not to be read" if found.problems else ""
    return "done", f"{len(found.kernels):,} kernels in {found.files:,} files{unread}"


def _changes(tonight: Tonight) -> Ended:
    before = diary.last_snapshot(tonight.config.state, tonight.night)
    if before is None:
        return "nothing", "the first night that is kept: there is nothing to compare with"
    found = tonight.scan()
    changes = diary.changes(before, Snapshot(release=found.release, kernels=extract.kernel_texts(found)))
    tonight.change(replace(tonight.night, changes=changes))
    counts = {"added": changes.added, "removed": changes.removed, "changed": changes.changed, "moved": changes.moved}
    said = ", ".join(f"{len(ids)} {what}" for what, ids in counts.items() if ids)
    return ("done", said) if changes.any else ("nothing", "no kernel changed since the last night")


def _recheck(tonight: Tonight) -> Ended:
    found = Counter(one.step.state for one in recheck(Path(tonight.night.tree), tonight.config, tonight.progress))
    if not found:
        return "nothing", "no accepted win of this framework is in the ledger"
    return "done", ", ".join(f"{count} {state}" for state, count in found.most_common())


def _drafts(tonight: Tonight) -> Ended:
    """Opens none: a person has to have read each hunk before."""
    won = [str(one.run) for one in tonight.night.taken if one.state == "won"]
    if not won:
        return "nothing", "nothing was won that a person could attest to"
    return "done", f"a person comes next, by 'kmaint attest RUN', then 'kmaint pr RUN --open': {', '.join(won)}"


def _optimize(tonight: Tonight) -> Ended:
    """Take up the few kernels most worth it, one after the other, until one of the night's limits."""
    scan = tonight.scan()
    settled = [one for one in tonight.night.taken if one.state != "failed"]
    for kernel, text in islice(_worth_it(tonight, scan), max(0, tonight.wanted.kernels - len(settled))):
        if tonight.minutes_left <= 0:
            break
        taken = _taken(tonight, scan, kernel, text)
        others = [one for one in tonight.night.taken if one.kernel != kernel.id]
        tonight.change(replace(tonight.night, taken=(*others, taken)))
        tonight.progress(f"{kernel.id}: {taken.state} {taken.reason}".rstrip())
    return _optimized(tonight)


def _optimized(tonight: Tonight) -> Ended:
    taken, late = tonight.night.taken, tonight.minutes_left <= 0
    failed = [one for one in taken if one.state == "failed"]
    if not taken:
        why = "no time was left" if late else "every kernel worth it was tried as it is"
        return "nothing", why if tonight.wanted.kernels else "no kernel was to be taken up"
    won = sum(one.state == "won" for one in taken)
    said = f"{len(taken)} taken up, {won} won" + (f", {len(failed)} failed" if failed else "")
    return ("failed" if failed else "done"), said + ("; no time was left for more" if late else "")


def _worth_it(tonight: Tonight, scan: Scan) -> Iterator[tuple[Kernel, str]]:
    """Kernels with their texts: what changed since the last night first, what failed as it is last.

    None that was tried in this text before, in any night.
    """
    texts, changes = extract.kernel_texts(scan), tonight.night.changes
    nights = [tonight.night, *diary.others(tonight.config.state, tonight.night)]
    before = [one for night in nights for one in night.taken if texts.get(one.kernel) == one.text]
    failed = {one.kernel for one in before if one.state == "failed"}
    tried = {one.kernel for one in before if one.state != "failed"}
    news = {*changes.added, *changes.changed} if changes else set[str]()
    for kernel in sorted(most_worth_it(scan, None), key=lambda one: (one.id in failed, one.id not in news)):
        if kernel.id not in tried:
            yield kernel, texts[kernel.id]


def _taken(tonight: Tonight, scan: Scan, kernel: Kernel, text: str) -> Taken:
    minutes = max(0.1, min(tonight.config.minutes, tonight.minutes_left))
    config = tonight.config.model_copy(update={"minutes": minutes})
    found = attempted(lambda: maintain_kernel(Path(tonight.night.tree), scan, kernel, config, tonight.progress))
    if isinstance(found, Failure):
        return Taken(kernel=kernel.id, text=text, state="failed", reason=found.said, log=found.log)
    return _told(found, text)


def _told(found: Maintained, text: str) -> Taken:
    extraction, run, landing = found.extraction, found.run, found.landing
    if run is None:
        return Taken(kernel=extraction.id, text=text, state=extraction.state, reason=extraction.reason)
    measured = speedup(run.winner) if run.winner else None
    return Taken(
        kernel=extraction.id,
        text=text,
        state=run.state,
        run=run.id,
        branch=landing.branch if landing else None,
        patch=landing.patch_file if landing else None,
        report=str(found.report),
        ratio=measured.ratio if measured else None,
    )


STEPS: tuple[tuple[StepName, StepName | None, Callable[[Tonight], Ended]], ...] = (
    ("upstream", None, _upstream),
    ("scan", "upstream", _scan),
    ("changes", "scan", _changes),
    ("recheck", "upstream", _recheck),
    ("optimize", "scan", _optimize),
    ("drafts", None, _drafts),
)
"""Each with the one that it cannot do without. What is short and says whether wins still hold comes first."""
