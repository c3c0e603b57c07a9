"""A landed win with its run, and a person at a terminal of their own."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kmaint import workflow
from kmaint.config import Config, load_config
from kmaint.folder import MANIFEST
from kmaint.records.change import Landing
from kmaint.records.run import Run
from kmaint.records.timing import Interval
from kmaint.store import Store
from tests.reports.conftest import CASE, H200, KEPT, WARPS, judged, made, passed, rungs, timing

SOURCE = Path(__file__).parent / "cases" / "sglang-0.5.17"


@dataclass(frozen=True)
class Landed:
    """A run whose winner is landed, and the settings under which it is found."""

    run: Run
    landing: Landing
    config: Config

    @property
    def state(self) -> Path:
        return self.config.state


@pytest.fixture(autouse=True)
def own_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gitconfig"
    path.write_text(
        "[user]\n\tname = A Maintainer\n\temail = maintainer@example.com\n[init]\n\tdefaultBranch = main\n"
        f"[credential]\n\thelper = store --file={tmp_path}/credentials\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(SOURCE, tmp_path / "tree"))
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=As released")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def won(tmp_path: Path) -> Run:
    """Two edits of a real kernel that passed, on a machine and with times that are made up for the test."""
    found = timing(
        ((4.11, 3.12, 0.9), (21.4, 18.9, 15.9), (101.3, 98.6, 84.1)), Interval(ratio=1.1383, low=1.1301, high=1.1466)
    )
    both = tuple(judged(one, passed(found, win=True), rungs("profile"), H200) for one in (WARPS, KEPT))
    harness = Path(shutil.copytree(CASE, tmp_path / "harness"))
    manifest = harness / MANIFEST
    # Without its oracle, which the case leaves to the catalogue, a patch brings no test along.
    manifest.write_text(manifest.read_text().replace("oracle = true", "oracle = false"))
    return replace(made("won", both, H200, best=KEPT.id), harness=str(harness))


@pytest.fixture
def landed(won: Run, tree: Path, tmp_path: Path) -> Landed:
    config = load_config(state=tmp_path / "state")
    with Store(config.state) as store:
        store.begin(won)
    return Landed(won, workflow.land(won, tree, config, lambda line: None), config)


@dataclass(frozen=True)
class Session:
    """How a command at a terminal ended: its status, what it printed, and what stood on the screen."""

    code: int
    output: str
    screen: str


def at_terminal(words: Sequence[str | Path], answers: Sequence[str]) -> Session:
    """Run kmaint in a terminal; whenever it asks, the next answer is typed. Without any left, input ends."""
    master, slave = pty.openpty()
    argv = [sys.executable, "-m", "kmaint", *map(str, words)]
    process = subprocess.Popen(argv, stdin=slave, stderr=slave, stdout=subprocess.PIPE, start_new_session=True)
    os.close(slave)
    screen, seen, left, until = "", 0, list(answers), time.monotonic() + 60
    while time.monotonic() < until:
        ready, _, _ = select.select([master], [], [], 0.1)
        if ready:
            try:
                screen += os.read(master, 1 << 16).decode()
            except OSError:  # the other end was closed
                break
        if screen[seen:].endswith((": ", "--", ") ")) and screen[seen:].rpartition("\n")[2].strip():
            seen = len(screen)
            os.write(master, f"{left.pop(0)}\n".encode() if left else b"\x04")
    assert process.stdout is not None
    with process.stdout as stream:
        output = stream.read().decode()
    os.close(master)
    return Session(process.wait(timeout=10), output, screen.replace("\r\n", "\n"))
