"""Age and authors of each kernel's file, from one walk of the repository's log."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from extract.tree import locate
from kmaint.child import conversing, run_child
from kmaint.errors import UsageError
from kmaint.records.kernel import History, Problem, Scan

LIMIT_S = 600.0
PROGRESS_EVERY_S = 5.0
MOST_AUTHORS = 10

COMMIT = b"\x01"
"""Begins the line of a commit: no path of a tree does."""

Progress = Callable[[str], None]


@dataclass(slots=True)
class _Changes:
    """What the log said of one file, newest first."""

    dates: list[str] = field(default_factory=list)
    authors: Counter[str] = field(default_factory=Counter)


def add_history(tree: Path, scan: Scan, progress: Progress) -> Scan:
    """The scan with the history of each kernel's file; where a shallow clone ends, that is a problem of the scan.

    Renames are not followed: a file's age is that of its present path.
    """
    root = locate(tree).root
    if _git(root, "rev-parse", "--is-inside-work-tree") != "true":
        raise UsageError(f"{tree}: no git repository, so it has no history", "leave --history out, or give a clone")
    ends = _shallow_ends(root)
    changes = _walk(root, sorted({kernel.path for kernel in scan.kernels}), ends, progress)
    histories = {path: _history(found, shallow=bool(ends)) for path, found in changes.items()}
    problems = scan.problems
    if ends:
        reason = "a shallow clone: when files were made is unknown, and older commits are not counted"
        problems = (*problems, Problem(path=".git/shallow", line=None, reason=reason))
    return replace(
        scan,
        kernels=tuple(replace(kernel, history=histories.get(kernel.path)) for kernel in scan.kernels),
        problems=problems,
    )


def _history(found: _Changes, *, shallow: bool) -> History:
    return History(
        created=None if shallow else found.dates[-1],
        changed=found.dates[0],
        commits=len(found.dates),
        authors=tuple(name for name, _ in found.authors.most_common(MOST_AUTHORS)),
    )


def _shallow_ends(root: Path) -> frozenset[str]:
    """Commits whose parents a shallow clone left out: each seems to have made every file there is."""
    if _git(root, "rev-parse", "--is-shallow-repository") != "true":
        return frozenset()
    place = Path(_git(root, "rev-parse", "--git-path", "shallow"))
    return frozenset((root / place).read_text().split())


def _git(root: Path, *words: str) -> str:
    ended = run_child(["git", "-C", root, *words], timeout_s=60)
    return ended.stdout.strip() if ended.code == 0 else ""


def _walk(root: Path, paths: list[str], ends: frozenset[str], progress: Progress) -> dict[str, _Changes]:
    """What each commit that is no merge says of the files, newest first."""
    found: dict[str, _Changes] = {}
    wanted, commits, shown = frozenset(paths), 0, time.monotonic()
    progress(f"walking the log for {len(paths):,} files")
    date = author = ""
    for line in _log(root, paths):
        if line.startswith(COMMIT):
            commit, date, author = line[1:].decode(errors="replace").split("\x00")
            commits += 1
            if commit in ends:
                date = ""
            if time.monotonic() - shown > PROGRESS_EVERY_S:
                shown = time.monotonic()
                progress(f"{commits:,} commits, back to {date or 'the end of the clone'}")
        elif date and (path := line.decode(errors="surrogateescape")) in wanted:
            changes = found.setdefault(path, _Changes())
            changes.dates.append(date)
            changes.authors[author] += 1
    return found


def _log(root: Path, paths: list[str]) -> Iterator[bytes]:
    """Lines of the log: a commit's, then the names that it touched, relative to the tree."""
    words: list[str | Path] = [
        "git",
        "-C",
        root,
        "-c",
        "core.quotePath=false",
        "log",
        "--no-merges",
        "--no-renames",
        "--relative",
    ]
    started = time.monotonic()
    with conversing([*words, "--name-only", "--format=%x01%H%x00%cs%x00%aN", "--", *paths]) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if time.monotonic() - started > LIMIT_S:
                raise UsageError(f"{root}: its log took over {LIMIT_S:.0f} s", "leave --history out")
            if line != b"\n":
                yield line.rstrip(b"\n")
        if process.wait() != 0:
            raise UsageError(f"{root}: git could not walk its log", f"see 'git -C {root} fsck'")
