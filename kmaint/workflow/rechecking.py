"""Accepted wins on another upstream: carried over, judged by the gate again, timed where there is a GPU."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import extract
import reintegrate
from kmaint import folder, wire
from kmaint.config import Config
from kmaint.errors import HarnessError, InternalError, MissingError, UsageError
from kmaint.evaluate.timing.ratios import is_unclear, shortfall
from kmaint.layout import use_of
from kmaint.ledger import Ledger
from kmaint.records.change import Patch
from kmaint.records.evaluation import Dishonest, Evaluation, Passed, speedup
from kmaint.records.harness import Harness
from kmaint.records.kernel import Kernel, Release, Scan
from kmaint.records.ledger import CHECKED, State, Step, Win
from kmaint.records.timing import Interval
from kmaint.workflow.extracting import extract_kernel
from kmaint.workflow.keeping import all_wins, now
from kmaint.workflow.progress import Progress
from kmaint.workflow.runs import find_run
from kmaint.workflow.testing import check, hold, write_tests

CANDIDATE, CONFLICTS, VERDICT = "candidate", "conflicts.txt", "verdict.json"
"""Of a win: its source here, what has to be merged by hand, and the gate's evaluation with the samples of each time."""


@dataclass(frozen=True, kw_only=True)
class Rechecked:
    """A win, what this upstream makes of it, and what to do about it."""

    win: Win
    step: Step
    next_step: str


@dataclass(frozen=True)
class _Upstream:
    """A clean clone of the tree's HEAD, what it is, and what is in it."""

    tree: Path
    scan: Scan
    into: Path
    config: Config

    @property
    def release(self) -> Release:
        return self.scan.release

    def step(self, state: State, said: str, *written: Path) -> Step:
        return Step(
            state=state, said=said, at=now(), release=self.release, written=tuple(str(path) for path in written)
        )


def recheck(
    tree: Path, config: Config, progress: Progress, *, ids: Sequence[str] = (), again: bool = False
) -> list[Rechecked]:
    """Each win of the tree's framework on the commit that the tree stands at; what was checked there before is read.

    Works on a clone: the checkout is read, and nothing in it or its repository changes. Wins that upstream has
    overtaken are retired, and left out unless they are named.
    """
    framework = extract.open_tree(tree).framework
    wins = _chosen(all_wins(config), framework, ids, config)
    if not wins:
        return []
    repository, done = reintegrate.open_repository(tree), list[Rechecked]()
    with reintegrate.clean_clone(repository, "HEAD") as clone:
        place = clone.root / clone.prefix
        progress(f"scanning {tree} at {clone.git('rev-parse', '--short=12', 'HEAD')}")
        scan = extract.scan_tree(place)
        into = (config.state / "rechecks" / str(scan.release.commit)[:12]).resolve()
        upstream = _Upstream(place, scan, into, config)
        for win in wins:
            known = None if again else _earlier(win, upstream.release)
            step = known or _recheck_win(win, upstream, config, progress)
            if known is None:
                with Ledger(config.state) as ledger:
                    ledger.add_step(win.id, step)
            progress(f"{win.id}: {step.state}: {step.said}")
            done.append(Rechecked(win=win, step=step, next_step=_next_step(win, step)))
    return done


def _chosen(wins: Sequence[Win], framework: str, ids: Sequence[str], config: Config) -> list[Win]:
    if unknown := [name for name in ids if name not in [win.id for win in wins]]:
        raise UsageError(f"no win {unknown[0]!r} in {config.state}", "see 'kmaint ledger'")
    return [win for win in wins if win.release.framework == framework and (win.id in ids if ids else not win.retired)]


def _earlier(win: Win, release: Release) -> Step | None:
    """What was found on this very commit; that a machine could not judge it holds for that machine only."""
    steps = [step for step in win.history if step.state in CHECKED and step.release == release]
    return steps[-1] if steps and steps[-1].state != "unjudged" and release.commit else None


def _recheck_win(win: Win, upstream: _Upstream, config: Config, progress: Progress) -> Step:
    kernel = standing(win.kernel, upstream.scan, win.namesakes)
    if kernel is None:
        return upstream.step("gone", f"no {win.kernel} any more; {_near(win, upstream.scan)}")
    stayed = win.kernel.startswith(f"{kernel.path}::")  # in its file, and under another name
    moved = "" if kernel.id == win.kernel else f"moved to {kernel.id if stayed else kernel.path}; "
    progress(f"{win.id}: extracting {kernel.id}")
    harness, doubt = _extracted(win, kernel, upstream, config, progress)
    if harness is None and kernel.language != "cuda":
        return upstream.step("conflicts", f"{moved}the kernel cannot be cut out any more: {doubt}")
    into = upstream.into / win.id
    now_there = _standing_text(kernel, harness, upstream)
    rebased = (
        reintegrate.rebase_file(win.original, win.source, now_there, kernel.name)
        if kernel.language == "cuda"
        else reintegrate.rebase(win.original, win.source, now_there)
    )
    if isinstance(rebased, reintegrate.Conflict):
        folder.write_text(into / CONFLICTS, rebased.text)
        return upstream.step("conflicts", f"{moved}{rebased.reason}", *([into / CONFLICTS] if rebased.text else []))
    if rebased.contained:
        return upstream.step("overtaken", f"{moved}upstream has the edit already")
    candidate = into / f"{CANDIDATE}{PurePosixPath(kernel.path).suffix}"
    folder.write_text(candidate, rebased.source)
    try:
        patch = _patch(win, kernel, harness, rebased.source, upstream)
        if not isinstance(patch, Patch):
            return upstream.step("conflicts", f"{moved}{patch.reason}", candidate)
        landing = reintegrate.land(
            patch, upstream.tree, branch=f"kmaint/{win.id}", message=f"{_title(win)}\n", into=into
        )
    except (UsageError, HarnessError, InternalError) as error:
        return upstream.step("conflicts", f"{moved}{error}", candidate)
    how = "with upstream's own changes merged" if rebased.changed else "as it was"
    applies = f"{moved}applies {how}"
    written = (Path(landing.patch_file), candidate)
    if harness is None or doubt:
        return upstream.step("unjudged", f"{applies}, but cannot be judged here: {doubt}", *written)
    try:
        (found,) = check(harness, [candidate], config, progress)
    except (MissingError, HarnessError) as error:  # CUDA C++ where there is no GPU, or not what it is built with
        return upstream.step("unjudged", f"{applies}, but cannot be judged here: {error.message}", *written)
    folder.write_text(into / VERDICT, wire.text(found, indent=1))
    state, said = meaning_of(found, changed=rebased.changed)
    step = upstream.step(state, f"{applies}; {said}", *written, into / VERDICT)
    return replace(step, speedup=speedup(found), environment=found.environment)


def standing(name: str, scan: Scan, namesakes: Sequence[str] | None = None) -> Kernel | None:
    """The kernel of that id; where it moved, the one of its name in the one file of the same name that has it; in C++
    also where a namespace came or went around it in its own file.

    Else it moved to the only one of its name that there is. It becomes none that was there before, as `namesakes` were,
    none of another language, and none of the tests; where nobody looked for namesakes, none in a file of another name.
    """
    path, _, symbol = name.partition("::")
    known = {kernel.id: kernel for kernel in scan.kernels}
    if name in known:
        return known[name]
    # By id: C++ may define a name several times, for other types.
    python = path.endswith(".py")
    new = [one for one in known.values() if one.id not in (namesakes or ()) and not use_of(one.path)]
    alike = [one for one in new if (one.language == "cuda") != python]
    named = [one for one in alike if one.qualname == symbol]
    moved = [one for one in named if PurePosixPath(one.path).name == PurePosixPath(path).name]
    own = [one for one in alike if one.language == "cuda" and one.path == path]
    renamed = [one for one in own if one.qualname.split("::")[-1] == symbol.split("::")[-1]]
    found = moved or renamed or (named if namesakes is not None else [])
    return found[0] if len(found) == 1 else None


def _standing_text(kernel: Kernel, harness: Harness | None, upstream: _Upstream) -> str:
    """What the win is merged into: the regions of a harness, or in CUDA C++ the file itself."""
    if kernel.language == "cuda":
        return (upstream.tree / kernel.path).read_text()
    assert harness is not None
    return (harness.folder / folder.KERNEL).read_text()


def _patch(
    win: Win, kernel: Kernel, harness: Harness | None, source: str, upstream: _Upstream
) -> Patch | reintegrate.Conflict | reintegrate.Declined:
    """Of the kind that was landed, by what was measured then: a guard holds for workloads that are the same here."""
    if harness is None or kernel.language == "cuda":
        now_there = _standing_text(kernel, harness, upstream)
        if win.patch.kind == "guarded":
            return reintegrate.rebase_guarded_file(win.patch, win.original, kernel.path, now_there)
        return reintegrate.file_patch(kernel.path, kernel.name, now_there, source)
    if win.patch.kind == "edit":
        return reintegrate.patch_of(harness, source)
    run = find_run(win.run, upstream.config)
    assert run.winner is not None
    if _calls(folder.read_harness(Path(run.harness))) != _calls(harness):
        return reintegrate.Declined("it is called or timed otherwise here than where its guard was made")
    evaluation = replace(run.winner, candidate=replace(run.winner.candidate, source=source))
    carried = reintegrate.Win(harness=harness, evaluation=evaluation, kernel=kernel, python=upstream.config.python)
    return reintegrate.choose_again(win.patch.kind, carried, upstream.tree)


def _calls(harness: Harness) -> tuple[object, ...]:
    """What a guard rests on: the function that is called, what with, and the workloads that were timed."""
    contract = harness.contract
    timed = {one.name: one.axes for one in contract.timed}
    return harness.entry, contract.arguments, contract.axes, contract.constraints, timed


def _extracted(
    win: Win, kernel: Kernel, upstream: _Upstream, config: Config, progress: Progress
) -> tuple[Harness | None, str]:
    """The kernel's harness as it is here, with its suite and held against the shipped op; what speaks against it."""
    launcher = win.launcher if win.launcher in [host.qualname for host in kernel.launchers] else None
    extraction = extract_kernel(
        upstream.tree,
        upstream.scan,
        extract.Wanted(kernel=kernel, launcher=launcher),
        upstream.into / "harnesses",
        config,
        sources=extract.Sources(tests=True),
        progress=progress,
    )
    if extraction.folder is None:
        return None, extraction.reason
    harness = folder.read_harness(extraction.folder)
    if extraction.state != "ready":
        return harness, extraction.reason
    write_tests(harness, config, progress)
    parity = hold(harness, config, progress, tree=upstream.tree)
    return harness, f"parity: {parity.reason}" if parity.refuses else ""


def meaning_of(found: Evaluation, *, changed: bool) -> tuple[State, str]:
    """What the gate's verdict makes of a win; `changed` says that upstream touched what the win changes.

    Two clocks that disagree say nothing of a candidate that people have read and that won before: it is the machine.
    Nor does a clock that is too unsure to tell.
    """
    verdict = found.verdict
    if not isinstance(verdict, Passed):
        doubted = isinstance(verdict, Dishonest) and verdict.codes == ("clock_disagrees",)
        return "unjudged" if doubted else "regressed", f"{verdict.kind}: {' '.join(verdict.reason.split())}"
    right = f"right ({verdict.numerics.kind})"
    if verdict.timing is None:
        return "holds", f"{right}; not timed: there was no GPU"
    timed = f"{right}; {_ratio(verdict.timing.speedup)} on {found.environment.device}"
    if verdict.win:
        return "holds", timed
    said = f"{timed}: {shortfall(verdict.timing)}"
    if is_unclear(verdict.timing):
        return "unjudged", f"{said}, by a clock too unsure to tell"
    gains = verdict.timing.speedup.low > 1.0
    return ("overtaken", f"{said}, so upstream's own is as fast") if changed and not gains else ("regressed", said)


def _ratio(found: Interval) -> str:
    return f"{found.ratio:.3f}x ({found.low:.3f} to {found.high:.3f})"


def _near(win: Win, scan: Scan) -> str:
    """Where the kernel may have gone: the same name elsewhere, else names like it, else other kernels of its file."""
    name, path = win.kernel.rpartition("::")[2], win.kernel.partition("::")[0]
    if same := [one.id for one in scan.kernels if one.qualname == name]:
        return f"one of that name stands in {', '.join(same[:3])}"
    known = {one.qualname: one.id for one in scan.kernels}
    if near := difflib.get_close_matches(name, known, n=3, cutoff=0.6):
        return f"names like it: {', '.join(known[one] for one in near)}"
    beside = [one.id for one in scan.kernels if one.path == path]
    return f"its file still holds {', '.join(beside[:3])}" if beside else "nothing like it is there"


def _next_step(win: Win, step: Step) -> str:
    anew = f"kmaint maintain TREE --kernel '{win.kernel}'"
    match step.state:
        case "holds" if step.speedup is None:
            return f"run the same with --again where there is a GPU; the patch for this upstream is {step.written[0]}"
        case "holds":
            return f"bring the patch up to date: 'git am {step.written[0]}'"
        case "conflicts" if step.written and step.written[0].endswith(CONFLICTS):
            return f"merge {step.written[0]} by hand, or look for a win anew: '{anew}'"
        case "unjudged" if step.written[-1].endswith(VERDICT):
            return f"run the same where nothing else keeps the host busy; the patch to judge is {step.written[0]}"
        case "unjudged":
            return f"run the same with a GPU or the framework (--python); the patch to judge is {step.written[0]}"
        case "conflicts":
            return f"look for a win anew: '{anew}'"
        case "overtaken":
            return "drop the patch; the win is retired"
        case "gone":
            return "drop the patch; see whether what is near is the kernel under a new name, and optimise that"
        case _:
            return f"drop the patch, and look for a win anew: '{anew}'"


def _title(win: Win) -> str:
    return f"Speed up {win.kernel.rpartition('::')[2]}, carried over from {win.release.framework} {win.release.version}"
