"""Makes harnesses of kernels and tries each out: all of a tree, or one.

A kernel is cut with its launcher where that closes, imports alone and has a contract on which it runs; else at its own
level. What it ends as: "ready", its suite's smoke example passes; "imports", it loads; "stopped", there is no harness.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from extract.calls.tests import Reader, open_reader
from extract.deriving.alone.site import site_sources
from extract.deriving.contract import NotDerivable, Progress, Subject, contract_for, silent, written_down
from extract.deriving.prober import QUICK, Effort
from extract.slicing.direct_entry import entry_source
from extract.slicing.modules import Library
from extract.slicing.pieces import StoppedError
from extract.slicing.placing import clear_leftovers, copy_runtime, replacing
from extract.slicing.slicer import Slice, cut_alone, cut_with_launcher, definition, slugs, write_code, write_description
from extract.tree import locate
from extract.trying.finished import locked, open_index
from extract.trying.parallel import WorkerLostError, in_processes
from extract.warming import warm_for_trials
from kmaint import wire
from kmaint.forking.warm import Zygote
from kmaint.records.call import Call
from kmaint.records.harness import Extraction, Harness, HarnessState, Level
from kmaint.records.kernel import Kernel, Scan

TRIAL = Path(__file__).parent / "trial.py"
IMPORT_LIMIT_S = 60.0
TUNERS = ("autotune", "heuristics")

WriteSuite = Callable[[Harness], object]
SeenCalls = Mapping[str, tuple[Call, ...]]
"""Calls by the id of the launcher or kernel that was called."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where workloads come from before they are derived: calls of a capture, and the framework's tests, if wanted."""

    captured: SeenCalls = field(default_factory=dict)
    tests: bool = False


NOTHING_SEEN = Sources()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One kernel to extract; with `launcher`, at that launcher's level or not at all."""

    kernel: Kernel
    launcher: str | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A harness that was written and tried out at one level."""

    folder: Path | None
    state: HarnessState
    reason: str
    level: Level
    no_launcher: str = ""


class Extractor:
    """Extracts kernels of one tree, one after the other, with one warm interpreter and each module parsed once."""

    def __init__(
        self,
        tree: Path,
        scan: Scan,
        zygote: Zygote,
        python: str,
        write_suite: WriteSuite,
        *,
        captured: SeenCalls,
        effort: Effort,
        reader: Reader | None = None,
        progress: Progress = silent,
    ) -> None:
        self.scan, self.library = scan, Library(locate(tree))
        self._zygote, self._python, self._write_suite = zygote, python, write_suite
        self._captured, self._reader, self._progress, self._effort = captured, reader, progress, effort
        self._slugs = slugs(scan)
        allowed = zygote.ask(TRIAL, "allowed", tree, limit_s=IMPORT_LIMIT_S).value
        self._allowed = allowed if isinstance(allowed, list) else []

    def extract(self, wanted: Wanted, into: Path) -> Extraction:
        """Write `into/FRAMEWORK-KERNEL`, an old folder there replaced; where the kernel is stopped nothing changes."""
        self.library.used.clear()
        kernel = wanted.kernel
        target = into / self._slugs[kernel.id]
        with replacing(target) as scratch:
            best = self._best(scratch, wanted)
            if best.folder is not None:
                best.folder.rename(scratch.with_suffix(".done"))
        return Extraction(
            id=kernel.id,
            folder=target if best.folder else None,
            state=best.state,
            reason=best.reason,
            level=best.level if best.folder else None,
            no_launcher=best.no_launcher if best.folder else "",
        )

    def _best(self, scratch: Path, wanted: Wanted) -> Attempt:
        first = self._attempt(scratch, lambda: cut_with_launcher(self.library, wanted.kernel, wanted.launcher))
        if first.state == "ready" or wanted.launcher is not None or self._zygote.missing:
            return first
        other = scratch.with_name("alone")
        other.mkdir()
        second = self._attempt(other, lambda: cut_alone(self.library, wanted.kernel, first.reason))
        if second.state == "ready":
            return second
        # with its launcher a kernel can be put back and timed as it is called, so that counts where both go as far
        best = second if second.folder and first.folder is None else first
        return replace(best, reason=f"{second.reason}; with its launcher: {first.reason}")

    def _attempt(self, folder: Path, cut_out: Callable[[], Slice]) -> Attempt:
        level: Level = "launcher" if folder.name == "harness" else "kernel"
        try:
            cut = cut_out()
            entry = self._entry(folder, cut) if cut.level == "kernel" else ""
        except StoppedError as error:
            return Attempt(folder=None, state="stopped", reason=str(error), level=level)
        source = write_code(folder, self.scan, cut, entry)
        copy_runtime(folder / "runtime", "extract.runtime")
        trouble = self._zygote.ask(
            TRIAL, "imports", folder, limit_s=IMPORT_LIMIT_S, entry=cut.entry, allowed=self._allowed
        ).error
        if trouble and not self._zygote.missing:
            return Attempt(folder=None, state="stopped", reason=f"{cut.entry}: {trouble}", level=level)
        if self._zygote.missing:
            reason = f"no {self._zygote.missing} in {self._python}, so nothing was run"
            write_description(folder, self.scan, cut, None)
        else:
            reason = self._described(folder, cut, source)
        return Attempt(
            folder=folder,
            state="imports" if reason else "ready",
            reason=reason,
            level=level,
            no_launcher=cut.no_launcher,
        )

    def _entry(self, folder: Path, cut: Slice) -> str:
        """The generated entry; what the kernel's decorators set is asked of the kernel itself."""
        function = definition(cut)
        left_out: list[str] = []
        if any(name in decorator for decorator in cut.kernel.decorators for name in TUNERS):
            write_code(folder, self.scan, cut, "")
            found = self._zygote.ask(TRIAL, "settings", folder, limit_s=IMPORT_LIMIT_S, kernel=cut.name)
            if found.error and not self._zygote.missing:
                raise StoppedError(f"{cut.name}: {found.error}")
            left_out = [str(one) for one in found.value] if isinstance(found.value, list) else []
        return entry_source(function, name=cut.name, left_out=left_out)

    def _described(self, folder: Path, cut: Slice, source: str) -> str:
        """Contract, manifest and suite; why the suite's smoke example was not run or did not pass, empty if it did."""
        try:
            subject = Subject(
                source=source,
                kernel=cut.name,
                entry=cut.entry,
                framework=self.scan.release.framework,
                level=cut.level,
                sites=site_sources(self.library, cut.kernel) if cut.level == "kernel" else (),
                calls=self._captured.get(cut.called, ()),
            )
            subject = replace(subject, examples=self._examples(cut, subject))
            derived = contract_for(subject, folder, self._zygote, effort=self._effort, progress=self._progress)
        except NotDerivable as error:
            write_description(folder, self.scan, cut, None)
            return str(error)
        self._write_suite(write_description(folder, self.scan, cut, derived))
        failed = self._zygote.ask(
            TRIAL, "smoke", folder, limit_s=self._effort.smoke_s, entry=cut.entry, device="cpu"
        ).error
        return f"{cut.entry}: {failed}" if failed else ""

    def _examples(self, cut: Slice, subject: Subject) -> tuple[Call, ...] | None:
        """The calls in tests and benchmarks; None where they are not wanted, or something better is known."""
        if self._reader is None or subject.calls or written_down(subject) is not None:
            return None
        host = next((host for host in cut.kernel.launchers if host.id == cut.called), None)
        return self._reader.of(cut.kernel, host).calls


@contextlib.contextmanager
def open_extractor(
    tree: Path,
    scan: Scan,
    python: str,
    write_suite: WriteSuite,
    *,
    sources: Sources,
    effort: Effort,
    progress: Progress = silent,
) -> Iterator[Extractor]:
    """An extractor with a warm interpreter of its own, for as long as the block lasts."""
    reading = open_reader(tree, scan, python=python) if sources.tests else contextlib.nullcontext()
    with warm_for_trials(python) as zygote, reading as reader:
        yield Extractor(
            tree,
            scan,
            zygote,
            python,
            write_suite,
            captured=sources.captured,
            effort=effort,
            reader=reader,
            progress=progress,
        )


@contextlib.contextmanager
def _opened(
    tree: Path, scan: Scan, into: Path, python: str, write_suite: WriteSuite, *, sources: Sources
) -> Iterator[Callable[[Kernel], tuple[Extraction, frozenset[str]]]]:
    """What extracts one kernel and tells which files of the tree it read for that."""
    with open_extractor(tree, scan, python, write_suite, sources=sources, effort=QUICK) as extractor:
        yield lambda kernel: (
            extractor.extract(Wanted(kernel=kernel), into),
            frozenset({kernel.path, *extractor.library.used, *(_test_files(kernel) if sources.tests else ())}),
        )


def _test_files(kernel: Kernel) -> set[str]:
    return {one.partition("::")[0] for one in (*kernel.tests, *kernel.benchmarks)}


def extract_all(
    tree: Path,
    scan: Scan,
    into: Path,
    write_suite: WriteSuite,
    *,
    python: str = sys.executable,
    processes: int = 0,
    sources: Sources = NOTHING_SEEN,
) -> Iterator[tuple[Extraction, bool]]:
    """Every launched Triton kernel's harness in `into`, as they are finished, and whether an earlier call made it.

    What an earlier call finished from the same files and sources is left as it is. `processes` is one for each core
    where it is 0.
    """
    into.mkdir(parents=True, exist_ok=True)
    made_with = f"{python} {scan.release}" + (f" {wire.digest(sources)}" if sources != NOTHING_SEEN else "")
    with locked(into), open_index(into, tree, made_with) as index:
        clear_leftovers(into)
        pending: list[Kernel] = []
        for kernel in launched(scan):
            if (earlier := index.find(kernel.id)) is not None:
                yield earlier, True
            else:
                pending.append(kernel)
        opened = functools.partial(_opened, tree, scan, into, python, write_suite, sources=sources)
        count = min(processes or len(os.sched_getaffinity(0)), len(pending))
        try:
            # closed first: a worker that still works would miss the folder that is cleared away under it
            with contextlib.closing(in_processes(opened, pending, count)) as ended:
                for kernel, outcome in ended:
                    if isinstance(outcome, WorkerLostError):
                        yield Extraction(id=kernel.id, folder=None, state="stopped", reason=str(outcome)), False
                    else:
                        index.add(*outcome)
                        yield outcome[0], False
        finally:
            clear_leftovers(into)


def launched(scan: Scan) -> list[Kernel]:
    """The Triton kernels that some host function launches."""
    return [one for one in scan.kernels if one.language == "triton" and one.role == "kernel"]


def extract_kernel(
    tree: Path,
    scan: Scan,
    wanted: Wanted,
    into: Path,
    write_suite: WriteSuite,
    *,
    python: str = sys.executable,
    sources: Sources = NOTHING_SEEN,
    progress: Progress = silent,
) -> Extraction:
    """One kernel's harness in `into`, tried out under the interpreter `python`."""
    effort = Effort()
    with open_extractor(
        tree, scan, python, write_suite, sources=sources, effort=effort, progress=progress
    ) as extractor:
        return extractor.extract(wanted, into)
