"""A project, a fork of it, and a checkout with one commit to propose, all of them real repositories."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.records.pull_request import Draft, Head
from reintegrate.forge.github import GithubForge
from tests.reintegrate.forge.standin import TOKEN, StandIn, standing_in

PROJECT, FORK, FILE = "project/engine", "me/engine", "engine/ops/scale.py"
MARKER = "<!-- kmaint:fingerprint=f00d -->"


@pytest.fixture(autouse=True)
def _own_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's git configuration with a helper that would write passwords down."""
    path = tmp_path / "gitconfig"
    path.write_text(
        "[user]\n\tname = A Maintainer\n\temail = maintainer@example.com\n[init]\n\tdefaultBranch = main\n"
        f"[credential]\n\thelper = store --file={tmp_path}/credentials\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def commit(tree: Path, path: str, text: str, message: str) -> str:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", f"--message={message}")
    return git(tree, "rev-parse", "HEAD")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(folder, FILE, "def scale(x):\n    return x * 2\n", "As released")
    return folder


@pytest.fixture
def forge(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with standing_in(tmp_path / "forge") as found:
        found.add(PROJECT, tree)
        found.add(FORK, tree)
        monkeypatch.setenv("GITHUB_API_URL", f"{found.address}/api")
        monkeypatch.setenv("GITHUB_SERVER_URL", found.address)
        yield found


@pytest.fixture
def draft(tree: Path, forge: StandIn) -> Draft:
    """Proposes a commit on a branch of its own, with a record beside it."""
    base, blob = git(tree, "rev-parse", "HEAD"), git(tree, "rev-parse", f"HEAD:{FILE}")
    git(tree, "switch", "--quiet", "--create", "kmaint/run")
    head = commit(tree, FILE, "def scale(x):\n    return x + x\n", "Add instead")
    git(tree, "switch", "--quiet", "--orphan", "record")
    evidence = commit(tree, "run.json", "{}\n", "Record")
    git(tree, "switch", "--quiet", "main")
    return Draft(
        fork=FORK,
        project=PROJECT,
        base="main",
        base_commit=base,
        touched={FILE: blob},
        head=Head(branch="kmaint/run", commit=head),
        evidence=Head(branch="kmaint-evidence/run", commit=evidence),
        title="Add instead",
        body=f"Why.\n\n{MARKER}\n",
        marker=MARKER,
    )


def rewritten(draft: Draft, tree: Path) -> Draft:
    """The same branch with another commit, as a new landing gives it."""
    git(tree, "switch", "--quiet", "--detach", draft.base_commit)
    head = commit(tree, FILE, "def scale(x):\n    return 2 * x\n", "Turn around")
    git(tree, "switch", "--quiet", "main")
    ours = (draft.head.commit, draft.evidence.commit)
    return replace(draft, head=replace(draft.head, commit=head, ours=ours), body=f"Why now.\n\n{MARKER}\n")


@pytest.fixture
def github(forge: StandIn, monkeypatch: pytest.MonkeyPatch) -> GithubForge:
    monkeypatch.setattr("reintegrate.forge.github.PACE_S", (0, 0))
    return GithubForge(TOKEN, lambda line: None)
