"""Trees to harnesses: what to extract, from which calls, and how the whole of a tree went."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import extract
import testgen
import testgen.mutation
from kmaint.config import Config
from kmaint.errors import UsageError
from kmaint.records.call import Capture
from kmaint.records.harness import Extraction
from kmaint.records.kernel import Scan
from kmaint.workflow.progress import Progress


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
        return extract.extract_cuda(tree, scan, wanted, into, testgen.write_suite, python=python)
    with testgen.answers_kept(into):
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
