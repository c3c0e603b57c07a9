"""Age and authors from real repositories, whole and shallow."""

from __future__ import annotations

from pathlib import Path

import pytest

import extract
from extract.evidence.history import add_history
from kmaint.child import run_child
from kmaint.errors import UsageError
from kmaint.records.kernel import History, Scan

KERNEL = "import triton\n\n@triton.jit\ndef k(x):\n    pass\n\ndef run(x):\n    k[(1,)](x)\n"


def git(root: Path, *words: str, who: str = "Ada", date: str = "2024-01-01T00:00:00+00:00") -> None:
    names = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", who), ("EMAIL", "a@b.c"), ("DATE", date))
    }
    ended = run_child(
        ["git", "-C", root, *words], timeout_s=30, env={"PATH": "/usr/bin:/bin", "HOME": str(root), **names}
    )
    assert ended.code == 0, ended.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "vllm" / "größe").mkdir(parents=True)
    (root / "vllm/__init__.py").touch()
    file = root / "vllm/größe/k.py"
    git(root, "init", "-q", "-b", "main")
    for number, (who, date) in enumerate((("Ada", "2023-05-01"), ("Bo", "2024-05-01"), ("Bo", "2025-05-01"))):
        file.write_text(f"{KERNEL}# {number}\n")
        git(root, "add", ".", who=who)
        git(root, "commit", "-qm", f"Change {number}", who=who, date=f"{date}T00:00:00+00:00")
    (root / "README").write_text("last\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "Touch no kernel", date="2025-06-01T00:00:00+00:00")
    return root


def dated(tree: Path) -> Scan:
    return add_history(tree, extract.scan_tree(tree), lambda _line: None)


def test_history_counts_what_touched_the_file(repository: Path) -> None:
    (kernel,) = dated(repository).kernels
    assert kernel.history == History(created="2023-05-01", changed="2025-05-01", commits=3, authors=("Bo", "Ada"))


def test_a_shallow_clone_knows_no_beginning_and_says_so(repository: Path) -> None:
    clone = repository.parent / "clone"
    git(repository.parent, "clone", "-q", "--depth", "3", f"file://{repository}", str(clone))
    found = dated(clone)
    (kernel,) = found.kernels
    assert kernel.history == History(created=None, changed="2025-05-01", commits=1, authors=("Bo",))
    assert [problem.path for problem in found.problems] == [".git/shallow"]


def test_a_clone_of_one_commit_says_nothing_of_age(repository: Path) -> None:
    clone = repository.parent / "clone"
    git(repository.parent, "clone", "-q", "--depth", "1", f"file://{repository}", str(clone))
    (kernel,) = dated(clone).kernels
    assert kernel.history is None


def test_a_folder_outside_of_git_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm/__init__.py").touch()
    with pytest.raises(UsageError) as error:
        dated(tmp_path)
    assert (
        str(error.value) == f"{tmp_path}: no git repository, so it has no history; leave --history out, or give a clone"
    )
