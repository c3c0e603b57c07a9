"""A patch on a branch: made in a worktree, proven on a clean clone, and only then given its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from kmaint.errors import InternalError, UsageError
from kmaint.folder import sha256
from kmaint.records.change import Check, Edit, Landing, NewFile, Patch
from reintegrate.checks import Linter, OwnTests
from reintegrate.patch import splice, standing_at
from reintegrate.repository import Repository, checkout, clean_clone, git, open_repository
from reintegrate.scope import only_changes

PATCH_FILE = "win.patch"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the patch is held against beside applying: `tests` of the framework's own, and who runs them.

    `tests` are `path::name` in the tree, the nearest to the kernel first. Without `python`, no test runs.
    """

    tests: tuple[str, ...] = ()
    python: Path | None = None


def land(patch: Patch, tree: Path, *, branch: str, message: str, into: Path, rules: Rules | None = None) -> Landing:
    """One commit on a new branch off HEAD, its `git format-patch` text in the folder `into`.

    UsageError, with tree and refs as they were, where the tree is no clean checkout, has the branch already, or a
    touched file moved since extraction; or where the framework's linters or tests take the patch for worse. The branch
    is made last: whatever fails or is killed before leaves none.
    """
    repository = open_repository(tree)
    _refuse_branch(repository, branch)
    _refuse_dirty(repository)
    base = repository.git("rev-parse", "HEAD")
    name, address = repository.author()
    with checkout(repository, base) as worktree:
        checks = _make(worktree, patch, rules or Rules())
        commit = _commit(worktree, _paths(worktree, patch), message, (name, address))
        patch_file = _write_patch(worktree, commit, into)
        _prove(repository, base, commit, patch_file)
    landing = Landing(
        tree=str(tree.resolve()),
        branch=branch,
        commit=commit,
        base=base,
        diff=repository.git("show", "--no-color", "--no-ext-diff", "--format=medium", commit) + "\n",
        stat=repository.git("show", "--shortstat", "--format=", commit).strip(),
        patch_file=str(patch_file),
        author=f"{name} <{address}>",
        kind=patch.kind,
        reason=patch.reason,
        checks=(*patch.shown, *checks),
    )
    repository.git("branch", "--no-track", branch, commit)
    return landing


def _paths(worktree: Repository, patch: Patch) -> list[str]:
    """Every file that the patch touches, relative to the top of the repository."""
    return [*(f"{worktree.prefix}{path}" for path in patch.files), *(_place(worktree, file) for file in patch.new)]


def _place(worktree: Repository, file: NewFile) -> str:
    return file.path if file.at_top else f"{worktree.prefix}{file.path}"


def _make(worktree: Repository, patch: Patch, rules: Rules) -> list[Check]:
    """The patch made in the worktree, and what the framework's own linters and tests say of it."""
    package = worktree.root / worktree.prefix
    linter = Linter(worktree.root, tuple(_paths(worktree, patch)))
    tests = OwnTests(worktree.root, package, rules.python, rules.tests)
    originals = {path: _original(worktree, path, before, patch) for path, before in patch.files.items()}
    linter.before()
    tests.before()
    for path, edits in _by_file(patch):
        (package / path).write_bytes(splice(originals[path], edits).encode())
    for file in patch.new:
        _write_new(worktree, file)
    checks = linter.after()
    for path, edits in _by_file(patch):
        if path.endswith(".py"):
            only_changes(path, originals[path], (package / path).read_bytes().decode(), _named(edits))
    return [*checks, *tests.after([_place(worktree, file) for file in patch.new if file.part == "test"])]


def _named(edits: Iterable[Edit]) -> set[str]:
    """What the edits may change or add."""
    return {name for edit in edits for name in (*edit.symbol.split(","), *edit.adds)}


def _write_new(worktree: Repository, file: NewFile) -> None:
    path = worktree.root / _place(worktree, file)
    stands = sha256(path.read_bytes()) if path.is_file() else ""
    if stands != file.replaces:
        what = "stands there already" if not file.replaces else "changed since the patch was made"
        raise UsageError(f"{file.path}: {what}", "look at what is there, and land again")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file.text)


def stands(landing: Landing) -> bool:
    """Whether the branch is still there, at the commit that was landed."""
    tree = Path(landing.tree)
    try:
        return tree.is_dir() and git(tree, "rev-parse", f"refs/heads/{landing.branch}") == landing.commit
    except UsageError:
        return False


def _refuse_branch(repository: Repository, branch: str) -> None:
    try:
        repository.git("check-ref-format", "--branch", branch)
    except UsageError as error:
        raise UsageError(f"{branch!r} is no name for a branch", "choose another with --branch") from error
    if repository.has_branch(branch):
        raise UsageError(
            f"{repository.root}: branch {branch} exists",
            f"delete it with 'git branch -D {branch}' or choose another with --branch",
        )


def _refuse_dirty(repository: Repository) -> None:
    changed = repository.git("status", "--porcelain", "--untracked-files=no").splitlines()
    if changed:
        others = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise UsageError(
            f"{repository.root}: uncommitted changes to {changed[0].split(maxsplit=1)[1]}{others}",
            "commit or stash them: the branch starts from HEAD",
        )


def _by_file(patch: Patch) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    for path, edits in groupby(patch.edits, key=lambda edit: edit.path):
        yield path, tuple(edits)


def _original(worktree: Repository, path: str, before: str, patch: Patch) -> str:
    """The text of a file that is to be edited, once it is certain that it is the one extracted from."""
    file = worktree.root / f"{worktree.prefix}{path}"
    if not file.is_file() or file.is_symlink():
        raise UsageError(f"{path}: not in the commit that HEAD is at", "extract the kernel from this tree")
    content = file.read_bytes()
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not in UTF-8: {error.reason} at byte {error.start}", "edit it by hand") from error
    if sha256(content) != before and sha256(content.replace(b"\r\n", b"\n")) != before:
        edits = tuple(edit for edit in patch.edits if edit.path == path)
        raise UsageError(f"{path}: changed since extraction", _where_to(text, edits))
    return text


def _where_to(text: str, edits: tuple[Edit, ...]) -> str:
    """What next, where a file moved: whether the lines in question still stand in it."""
    for edit in edits:
        found = standing_at(text, edit)
        if len(found) != 1:
            how = "no longer stands as it was" if not found else f"stands {len(found)} times"
            return f"{edit.symbol} {how}: extract the kernel again and optimize it anew"
    where = ", ".join(f"{edit.symbol} at line {standing_at(text, edit)[0]}" for edit in edits)
    return f"what the patch replaces still stands, once each ({where}): extract the kernel again and check the winner"


def _commit(worktree: Repository, paths: list[str], message: str, author: tuple[str, str]) -> str:
    who = (f"user.name={author[0]}", f"user.email={author[1]}")
    git(worktree.root, "add", "--intent-to-add", "--", *paths)
    git(worktree.root, "commit", "--quiet", "--no-signoff", "--file=-", "--", *paths, settings=who, stdin=message)
    commit = worktree.git("rev-parse", "HEAD")
    touched = worktree.git("diff", "--name-only", "--no-renames", "HEAD~1", "HEAD").splitlines()
    if sorted(touched) != sorted(paths):
        raise InternalError(
            f"the commit touches {touched} instead of {paths}", "nothing was landed; please report this"
        )
    return commit


def _write_patch(worktree: Repository, commit: str, into: Path) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    # As git writes it, to a file: through our pipes a byte that is no UTF-8 would be lost.
    words = ("format-patch", "--quiet", "--no-signoff", "--no-attach", "--numbered-files", "-1")
    worktree.git(*words, f"--output-directory={into.resolve()}", commit)
    return (into / "1").rename(into / PATCH_FILE).resolve()


def _prove(repository: Repository, base: str, commit: str, patch_file: Path) -> None:
    """The patch file alone, on a clean clone, must give the very tree that the commit holds."""
    with clean_clone(repository, base) as clone:
        clone.git("apply", "--check", str(patch_file))
        clone.git("apply", "--index", str(patch_file))
        if clone.git("write-tree") != repository.git("rev-parse", f"{commit}^{{tree}}"):
            raise InternalError(
                f"{patch_file}: on a clean clone it gives another tree", "nothing was landed; please report this"
            )
