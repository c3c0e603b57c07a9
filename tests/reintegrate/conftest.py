"""Harnesses of the cases as a run finds them, and trees of the cases as git checkouts."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kmaint.folder import read_harness
from kmaint.records.harness import Harness
from tests.merged import RUNTIME

CASES = Path(__file__).parent / "cases"
CATALOGUE = Path(__file__).parents[2] / "extract" / "deriving" / "catalogue"
ORACLES = {"merge_state": "sglang_merge_state", "merge_attn_states": "vllm_merge_attn_states"}


@pytest.fixture
def harness_of(tmp_path: Path) -> Callable[[str], Harness]:
    """A case's harness with the runtime that extraction copies beside it."""

    def made(name: str) -> Harness:
        folder = Path(shutil.copytree(CASES / name, tmp_path / f"harness-{name}"))
        if name in ORACLES:
            shutil.copy(CATALOGUE / ORACLES[name] / "reference.py", folder)
        shutil.copytree(RUNTIME, folder / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
        return read_harness(folder)

    return made


@pytest.fixture
def committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """A copy of a folder as a git checkout with one commit, under a user's own configuration and no other."""
    (tmp_path / "gitconfig").write_text("[user]\n\tname = A Maintainer\n\temail = maintainer@example.com\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for name in ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"):
        monkeypatch.delenv(f"GIT_{name}", raising=False)

    def made(source: Path) -> Path:
        tree = Path(shutil.copytree(source, tmp_path / "tree"))
        for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=As released")):
            subprocess.run(["git", *words], cwd=tree, check=True)
        return tree

    return made


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Holds a text against a recording beside the test; `--update-recordings` writes it anew."""

    def hold(name: str, text: str) -> None:
        file = request.path.parent / "recorded" / name
        if request.config.getoption("--update-recordings"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        assert text == file.read_text()

    return hold
