"""Landing a real win in real repositories, and every refusal with a repository that is as it was."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.errors import UsageError
from kmaint.folder import read_harness, sha256
from kmaint.records.change import Landing, Patch
from reintegrate.landing import land, stands
from reintegrate.patch import patch_of

CASE = Path(__file__).parent / "cases" / "merge_state"
SOURCE = Path(__file__).parents[1] / "cases" / "sglang-0.5.17"
PATH = "sglang/kernels/ops/attention/merge_state.py"
MESSAGE = "Keep two exponentials that were computed twice\n\nBody.\n"


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own git configuration, and no other."""
    path = tmp_path / "gitconfig"
    path.write_text("[user]\n\tname = A Maintainer\n\temail = maintainer@example.com\n[init]\n\tdefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for name in ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"):
        monkeypatch.delenv(f"GIT_{name}", raising=False)
    return path


@pytest.fixture
def patch() -> Patch:
    return patch_of(read_harness(CASE), (CASE / "winner.py").read_text())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return committed(Path(shutil.copytree(SOURCE, tmp_path / "tree")))


def committed(tree: Path) -> Path:
    git(tree, "init", "--quiet")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message=As released")
    return tree


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def state(tree: Path) -> tuple[str, ...]:
    """Everything of a repository that a user can see."""
    shown = (
        "rev-parse HEAD",
        "symbolic-ref HEAD",
        "for-each-ref",
        "status --porcelain",
        "ls-files --stage",
        "worktree list",
    )
    files = "".join(f"{path} {sha256(path.read_bytes())}" for path in sorted(tree.rglob("*.py")))
    return (*(git(tree, *words.split()) for words in shown), files)


def landed(patch: Patch, tree: Path, *, branch: str = "kmaint/win", message: str = MESSAGE) -> Landing:
    return land(patch, tree, branch=branch, message=message, into=tree.parent / "run")


def refused(patch: Patch, tree: Path, *, branch: str = "kmaint/win") -> str:
    """The refusal's text, once it is certain that the repository is as it was."""
    before = state(tree)
    with pytest.raises(UsageError) as error:
        landed(patch, tree, branch=branch)
    assert state(tree) == before
    return str(error.value)


def test_a_win_is_one_commit_on_a_branch_and_nothing_else_moves(patch: Patch, tree: Path) -> None:
    (tree / "notes.txt").write_text("untracked, and none of our business\n")
    before, index = state(tree), tree / ".git" / "index"
    untouched = index.read_bytes()
    landing = landed(patch, tree)
    assert index.read_bytes() == untouched
    new = f"{landing.commit} commit\trefs/heads/{landing.branch}\n"
    assert [text.replace(new, "") for text in state(tree)] == list(before)
    assert git(tree, "rev-list", f"main..{landing.branch}") == f"{landing.commit}\n"
    assert git(tree, "worktree", "list").count("\n") == 1
    assert git(tree, "log", "-1", "--format=%B%an <%ae>", landing.branch) == f"{MESSAGE}{landing.author}\n"
    assert landing.author == "A Maintainer <maintainer@example.com>"
    assert landing.base == before[0].strip()
    assert landing.stat == "1 file changed, 6 insertions(+), 3 deletions(-)"
    assert landing.diff == git(tree, "show", landing.branch)
    assert stands(landing)


def test_the_patch_file_applies_as_mail_and_as_a_diff(patch: Patch, tree: Path, tmp_path: Path) -> None:
    landing = landed(patch, tree)
    assert Path(landing.patch_file) == tmp_path / "run" / "win.patch"
    for number, words in enumerate((("am", "--quiet"), ("apply", "--index"))):
        clone = tmp_path / f"clone{number}"
        git(tmp_path, "clone", "--quiet", str(tree), str(clone))
        git(clone, *words, landing.patch_file)
        assert git(clone, "write-tree") == git(tree, "rev-parse", f"{landing.commit}^{{tree}}")


def test_windows_line_endings_and_a_missing_last_newline_survive(patch: Patch, tree: Path) -> None:
    file = tree / PATH
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n").removesuffix(b"\r\n"))
    git(tree, "commit", "--quiet", "--all", "--message=Other ends")
    ends = dataclasses.replace(patch, files={PATH: sha256(file.read_bytes())})
    landing = landed(ends, tree)
    assert landing.stat == "1 file changed, 6 insertions(+), 3 deletions(-)"
    after = subprocess.run(
        ["git", "show", f"{landing.branch}:{PATH}"], cwd=tree, capture_output=True, check=True
    ).stdout
    assert after.count(b"\r\n") == after.count(b"\n")
    assert after.endswith(b"return output, output_lse")


def test_a_tree_inside_a_repository(patch: Patch, tmp_path: Path) -> None:
    """SGLang's package stands in python/ of its repository."""
    tree = Path(shutil.copytree(SOURCE, tmp_path / "repository" / "python"))
    committed(tree.parent)
    landing = landed(patch, tree)
    assert git(tree.parent, "show", "--name-only", "--format=", landing.branch) == f"python/{PATH}\n"


@pytest.mark.parametrize("detached", [False, True])
def test_a_shallow_clone(patch: Patch, tree: Path, tmp_path: Path, detached: bool) -> None:
    """As `git clone --depth 1` makes one; detached, as GitHub's checkout does. No clone of it can share its objects."""
    git(tree, "commit", "--quiet", "--allow-empty", "--message=One more")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{tree}", str(shallow))
    if detached:
        git(shallow, "checkout", "--quiet", "--detach")
    assert git(shallow, "rev-parse", "--is-shallow-repository") == "true\n"
    landing = landed(patch, shallow)
    assert git(shallow, "rev-parse", f"{landing.branch}~1") == git(tree, "rev-parse", "HEAD")
    whole = f"{landed(patch, tree).branch}^{{tree}}"
    assert git(shallow, "rev-parse", f"{landing.branch}^{{tree}}") == git(tree, "rev-parse", whole)


def test_hooks_signing_and_sign_offs_of_the_user_do_not_apply(patch: Patch, tree: Path, configuration: Path) -> None:
    hook = tree / ".git" / "hooks" / "prepare-commit-msg"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\necho "Signed-off-by: Nobody <nobody@example.com>" >> "$1"\n')
    hook.chmod(0o755)
    with configuration.open("a") as file:
        file.write(
            "[commit]\n\tgpgSign = true\n[format]\n\tsignOff = true\n\tattach = true\n[diff]\n\tnoprefix = true\n"
        )
    landing = landed(patch, tree)
    assert "Signed-off-by" not in git(tree, "log", "-1", "--format=%B", landing.branch)
    assert "Signed-off-by" not in Path(landing.patch_file).read_text()


def test_without_an_identity_the_neutral_one_commits_and_is_named(
    patch: Patch, tree: Path, configuration: Path
) -> None:
    configuration.write_text("")
    landing = landed(patch, tree)
    assert landing.author == "kmaint <kmaint@localhost>"
    assert git(tree, "log", "-1", "--format=%an %ae %cn %ce", landing.branch) == (
        "kmaint kmaint@localhost kmaint kmaint@localhost\n"
    )


def test_a_git_command_around_us_does_not_redirect_us(
    patch: Patch, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kmaint started from a hook or an alias finds GIT_DIR set."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    landing = landed(patch, tree)
    monkeypatch.delenv("GIT_DIR")
    assert stands(landing)


def test_a_branch_that_exists_is_refused(patch: Patch, tree: Path) -> None:
    git(tree, "branch", "kmaint/win")
    assert refused(patch, tree) == (
        f"{tree}: branch kmaint/win exists; delete it with 'git branch -D kmaint/win' or choose another with --branch"
    )
    assert refused(patch, tree, branch="two words") == (
        "'two words' is no name for a branch; choose another with --branch"
    )


def test_a_branch_that_git_cannot_make_is_refused_with_gits_reason(patch: Patch, tree: Path) -> None:
    git(tree, "branch", "kmaint")
    assert refused(patch, tree) == (
        f"{tree}: git branch failed: fatal: cannot lock ref 'refs/heads/kmaint/win': 'refs/heads/kmaint' exists; "
        "cannot create 'refs/heads/kmaint/win'; nothing was changed"
    )


def test_a_dirty_worktree_is_refused(patch: Patch, tree: Path) -> None:
    (tree / "LICENSE").write_text("mine\n")
    assert refused(patch, tree) == (
        f"{tree}: uncommitted changes to LICENSE; commit or stash them: the branch starts from HEAD"
    )
    (tree / PATH).unlink()
    assert refused(patch, tree) == (
        f"{tree}: uncommitted changes to LICENSE and 1 more; commit or stash them: the branch starts from HEAD"
    )


def test_what_is_no_repository_is_refused(patch: Patch, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(SOURCE, tmp_path / "unpacked"))
    with pytest.raises(UsageError) as error:
        landed(patch, tree)
    assert str(error.value) == f"{tree}: not a git checkout; a fetched tree is one: 'kmaint fetch'; else 'git init' it"
    with pytest.raises(UsageError) as error:
        landed(patch, tmp_path / "nowhere")
    assert (
        str(error.value)
        == f"{tmp_path / 'nowhere'}: no such folder; name the checkout that the kernel was extracted from"
    )
    git(tree, "init", "--quiet")
    with pytest.raises(UsageError) as error:
        landed(patch, tree)
    assert str(error.value) == f"{tree}: a git repository without a commit; commit the tree as it was extracted"


def test_a_file_that_moved_is_refused_and_says_whether_its_lines_still_stand(patch: Patch, tree: Path) -> None:
    file = tree / PATH
    file.write_text(f"# A new first line.\n{file.read_text()}")
    git(tree, "commit", "--quiet", "--all", "--message=Move")
    assert refused(patch, tree) == (
        f"{PATH}: changed since extraction; what the patch replaces still stands, once each (merge_state_kernel at "
        "line 9, merge_state_triton at line 67): extract the kernel again and check the winner"
    )
    file.write_text(file.read_text().replace("token_idx", "token"))
    git(tree, "commit", "--quiet", "--all", "--message=Rename")
    assert refused(patch, tree) == (
        f"{PATH}: changed since extraction; merge_state_kernel no longer stands as it was: extract the kernel again "
        "and optimize it anew"
    )
    git(tree, "rm", "--quiet", PATH)
    git(tree, "commit", "--quiet", "--message=Remove")
    assert refused(patch, tree) == f"{PATH}: not in the commit that HEAD is at; extract the kernel from this tree"


@pytest.fixture
def read_only_objects(tree: Path) -> Iterator[Path]:
    """The object store, closed to writing even for root."""
    git(tree, "gc", "--quiet")
    objects = tree / ".git" / "objects"
    if os.geteuid() != 0:
        objects.chmod(0o555)
        yield tree
        objects.chmod(0o755)
        return
    if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", objects], capture_output=True).returncode:
        pytest.skip("root, on a file system without the immutable attribute: nothing here can be read-only")
    yield tree
    subprocess.run(["chattr", "-i", objects], check=True)


def test_a_read_only_repository_is_refused(patch: Patch, read_only_objects: Path) -> None:
    said = refused(patch, read_only_objects)
    assert said.startswith(f"{read_only_objects.parent}") or "kmaint-checkout-" in said
    assert "git commit failed: " in said
    assert said.endswith("; nothing was changed")


def test_a_killed_landing_leaves_no_trace_once_the_next_one_is_done(patch: Patch, tree: Path, tmp_path: Path) -> None:
    """Killed while git writes the worktree: a filter of the repository's own holds it there."""
    gate, record = tmp_path / "gate", tmp_path / "patch.json"
    git(tree, "config", "filter.slow.smudge", f"while [ ! -e '{gate}' ]; do sleep 0.05; done; cat")
    (tree / ".git" / "info" / "attributes").write_text("LICENSE filter=slow\n")
    record.write_text(wire.text(patch))
    before = git(tree, "for-each-ref"), git(tree, "status", "--porcelain")
    program = textwrap.dedent("""
        import json, sys
        from pathlib import Path
        from kmaint import wire
        from kmaint.records.change import Patch
        from reintegrate.landing import land
        patch = wire.load(Patch, json.loads(Path(sys.argv[1]).read_text()))
        land(patch, Path(sys.argv[2]), branch="kmaint/win", message="Killed", into=Path(sys.argv[1]).parent)
    """)
    victim = subprocess.Popen([sys.executable, "-c", program, record, tree])
    worktrees = tree / ".git" / "worktrees"
    deadline = time.monotonic() + 60
    while not (worktrees.is_dir() and list(worktrees.glob("*/index.lock"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    left = git(tree, "worktree", "list", "--porcelain").split("worktree ")[2].splitlines()[0]
    gate.touch()
    assert (git(tree, "for-each-ref"), git(tree, "status", "--porcelain")) == before
    landing = landed(patch, tree)
    assert stands(landing)
    assert git(tree, "worktree", "list").count("\n") == 1
    assert not Path(left).parent.exists()
    assert before[0] == "".join(line for line in git(tree, "for-each-ref").splitlines(True) if "kmaint/win" not in line)


def test_a_worktree_of_the_users_own_is_left_alone(patch: Patch, tree: Path, tmp_path: Path) -> None:
    git(tree, "worktree", "add", "--quiet", "-b", "mine", str(tmp_path / "mine"))
    shutil.rmtree(tmp_path / "mine")
    landed(patch, tree)
    assert "branch refs/heads/mine\n" in git(tree, "worktree", "list", "--porcelain")


def test_a_landing_stands_until_its_branch_moves(patch: Patch, tree: Path) -> None:
    landing = landed(patch, tree)
    git(tree, "branch", "--force", landing.branch, "main")
    assert not stands(landing)
    shutil.rmtree(tree)
    assert not stands(landing)
