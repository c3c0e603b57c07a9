"""A git repository that is never disturbed: work happens in a worktree of its own, and a branch appears last, whole.

git runs through kmaint.child with the user's configuration, without hooks, prompts or signing.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kmaint.child import run_child
from kmaint.errors import UsageError

GIT_LIMIT_S = 600.0
"""A checkout of the largest tree takes seconds; a slow network disk may take minutes."""

NEUTRAL = ("kmaint", "kmaint@localhost")
"""Who commits where git has been told no name: a fetched tree in a bare container."""

SETTINGS = (
    # A hook may sign off, reformat or ask: the framework's own checks are run, and reported, as such.
    "core.hooksPath=/dev/null",
    "commit.gpgSign=false",
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "advice.detachedHead=false",
)

TEMPORARY = re.compile(r"kmaint-checkout-(?P<pid>\d+)-")
"""A worktree of ours names the process that made it, so that a later one knows it for a dead one's."""

# Set by git for its hooks and aliases; they would turn every command below to another repository.
REDIRECTIONS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")

TRACES = ("GIT_TRACE", "GIT_CURL_VERBOSE")
"""How what the user wants traced begins: a trace of a push would hold the token that it authenticates with."""


@dataclass(frozen=True)
class Repository:
    """A repository's top folder, and where in it the tree stands: "" or a path that ends in a slash."""

    root: Path
    prefix: str = ""

    def git(self, *words: str, stdin: str = "") -> str:
        """What git prints. UsageError with the last line of what it complained of."""
        return git(self.root, *words, stdin=stdin)

    def has_branch(self, name: str) -> bool:
        return bool(self.git("branch", "--list", "--format=%(refname)", "--", name))

    def author(self) -> tuple[str, str]:
        """Name and address that a commit here gets: the user's, or a neutral one where git knows none."""
        name, address = (
            os.environ.get(f"GIT_AUTHOR_{key.upper()}") or self.git("config", "--default", "", f"user.{key}")
            for key in ("name", "email")
        )
        return (name, address) if name and address else NEUTRAL


def git(
    folder: Path,
    *words: str,
    settings: tuple[str, ...] = (),
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
) -> str:
    """What git prints when run in the folder, without the last newline; `environment` is added to our own."""
    options = [part for setting in (*SETTINGS, *settings) for part in ("-c", setting)]
    kept = {
        name: value for name, value in os.environ.items() if name not in REDIRECTIONS and not name.startswith(TRACES)
    }
    # No optional locks: `git status` would rewrite the user's index to refresh it.
    own = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    given = {**kept, **own, **(environment or {})}
    done = run_child(["git", *options, *words], timeout_s=GIT_LIMIT_S, env=given, cwd=folder, stdin=stdin)
    if done.code != 0:
        said = next((line for line in done.stderr.splitlines() if line.startswith(("fatal:", "error:"))), "")
        said = said or next(iter(done.stderr.strip().splitlines()[-1:]), done.signal or f"exit status {done.code}")
        raise UsageError(f"{folder}: git {words[0]} failed: {said}", "nothing was changed")
    return done.stdout.rstrip("\n")


def open_repository(tree: Path) -> Repository:
    """The repository that the tree is, or stands in. UsageError where it is none or has no commit."""
    if not tree.is_dir():
        raise UsageError(f"{tree}: no such folder", "name the checkout that the kernel was extracted from")
    try:
        root = git(tree, "rev-parse", "--show-toplevel")
    except UsageError as error:
        raise UsageError(
            f"{tree}: not a git checkout", "a fetched tree is one: 'kmaint fetch'; else 'git init' it"
        ) from error
    if not git(tree, "rev-list", "--max-count=1", "--all"):
        raise UsageError(f"{tree}: a git repository without a commit", "commit the tree as it was extracted")
    prefix = tree.resolve().relative_to(Path(root).resolve()).as_posix()
    return Repository(Path(root), "" if prefix == "." else f"{prefix}/")


@contextlib.contextmanager
def checkout(repository: Repository, commit: str) -> Iterator[Repository]:
    """A worktree of that commit, on no branch, for as long as the block lasts; the user's own is not touched."""
    _remove_abandoned(repository)
    with tempfile.TemporaryDirectory(prefix=f"kmaint-checkout-{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        worktree = Path(folder) / Path(folder).name
        try:
            repository.git("worktree", "add", "--quiet", "--detach", str(worktree), commit)
            yield Repository(worktree, repository.prefix)
        finally:
            _remove(repository, worktree)


@contextlib.contextmanager
def clean_clone(repository: Repository, commit: str) -> Iterator[Repository]:
    """A clone at the commit that shares nothing with the repository but objects; of a shallow one not even those."""
    with tempfile.TemporaryDirectory(prefix="kmaint-clone-") as folder:
        clone = Repository(Path(folder) / "clone", repository.prefix)
        repository.git("clone", "--quiet", "--shared", "--no-checkout", str(repository.root), str(clone.root))
        clone.git("checkout", "--quiet", "--detach", commit)
        yield clone


def _remove(repository: Repository, worktree: Path) -> None:
    # Forced twice: a worktree that git was still making is locked.
    with contextlib.suppress(UsageError):
        repository.git("worktree", "remove", "--force", "--force", str(worktree))


def _remove_abandoned(repository: Repository) -> None:
    """Take away what a killed process of ours left: its worktree, and git's note of it; never anyone else's."""
    for line in repository.git("worktree", "list", "--porcelain").splitlines():
        path = Path(line.removeprefix("worktree "))
        found = TEMPORARY.match(path.name) if line.startswith("worktree ") else None
        if found and not _is_alive(int(found["pid"])):
            _remove(repository, path)
            shutil.rmtree(path.parent, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
