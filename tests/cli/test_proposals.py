"""From a landed win to a draft on a fork, as a person walks it: at a terminal, with a token that is seen nowhere."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.landed import Landed, at_terminal
from tests.reintegrate.forge.standin import TOKEN, standing_in

ADA = "Ada Lovelace <ada@example.org>"
SIGN_OFF = f"Signed-off-by: {ADA}"
FORK, PROJECT = "ada/sglang", "sgl-project/sglang"
CHECKS = ("linters", "framework_tests", "accuracy", "engine_benchmark")


def attest(landed: Landed, *answers: str) -> tuple[int, dict[str, object], str]:
    words = ("attest", landed.run.id, "--reviewer", ADA, "--state", landed.state, "--format", "json")
    session = at_terminal(words, answers)
    assert session.output, session.screen
    return session.code, json.loads(session.output), session.screen


def test_each_hunk_is_shown_and_a_no_stands_until_it_is_taken_back(landed: Landed) -> None:
    code, said, screen = attest(landed, "y")
    assert (code, said["state"], said["schema"]) == (1, "open", "kmaint.attest/1")
    assert "=== hunk 1 of 3: sglang/kernels/ops/attention/merge_state.py" in screen
    assert "+    s_se = tl.exp(s_lse)" in screen
    code, said, screen = attest(landed, "perhaps", "n", "a second warp\x1b[2K hides", "y")
    assert "hunk 1 of 3" not in screen
    assert (code, said["state"]) == (1, "refused")
    answers = said["answers"]
    assert isinstance(answers, list)
    assert [(one["yes"], one["reason"]) for one in answers] == [
        (True, ""),
        (False, "a second warp\\x1b[2K hides"),
        (True, ""),
    ]
    code, said, screen = attest(landed, "y", SIGN_OFF)
    assert (code, said["state"], said["reviewer"], said["sign_off"]) == (0, "attested", ADA, SIGN_OFF)
    assert "hunk 2 of 3" in screen
    code, said, screen = attest(landed)
    assert (code, "hunk" in screen) == (0, False)


def test_without_a_terminal_nobody_attests(landed: Landed) -> None:
    words = ["attest", landed.run.id, "--reviewer", ADA, "--state", str(landed.state)]
    argv = [sys.executable, "-m", "kmaint", *words]
    ended = subprocess.run(argv, input="y\ny\ny\n", capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "kmaint: no terminal to show a person the patch in; run 'kmaint attest' by hand, in a terminal\n"
    )


@pytest.fixture
def spied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git in front of the real one that writes down how it is called, and by whom with what."""
    record, real = tmp_path / "argv.log", shutil.which("git")
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    watching = f"tr '\\0' ' ' < /proc/$PPID/cmdline >> '{record}'; echo \" | $*\" >> '{record}'"
    wrapper.write_text(f"#!/bin/sh\n{watching}\nexec '{real}' \"$@\"\n")
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    return record


def test_a_draft_reaches_the_fork_and_the_token_nothing_else(
    landed: Landed, tree: Path, tmp_path: Path, spied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attest(landed, "y", "y", "y", SIGN_OFF)
    evidence = tmp_path / "evidence.txt"
    evidence.write_text("passed\n")
    given = [word for check in CHECKS for word in ("--evidence", f"{check}={evidence}")]
    words = ["pr", landed.run.id, "--open", "--fork", FORK, *given, "--state", str(landed.state), "--format", "json"]
    with standing_in(tmp_path / "forge") as forge:
        forge.add(PROJECT, tree)
        bare = forge.add(FORK, tree)
        monkeypatch.setenv("GITHUB_API_URL", f"{forge.address}/api")
        monkeypatch.setenv("GITHUB_SERVER_URL", forge.address)
        monkeypatch.setenv("GIT_TRACE_CURL", str(tmp_path / "trace"))
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        argv = [sys.executable, "-m", "kmaint", *words]
        ended = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        [pull] = forge.pulls[FORK]
    said = json.loads(ended.stdout)
    assert (said["schema"], said["state"], said["ready"], said["number"]) == ("kmaint.pr/1", "opened", True, 1)
    shown = ("git", "show", "--no-patch", "--format=%an <%ae>%n%(trailers)", landed.landing.branch)
    head = subprocess.run(shown, cwd=bare, capture_output=True, text=True, check=True).stdout
    assert head.split("\n")[:2] == [ADA, SIGN_OFF]
    assert "- [x] A person has read every changed line" in pull["body"]
    assert "- [ ]" not in pull["body"]
    record = pull["body"].partition("[raw data](")[2].partition(")")[0]
    assert record.startswith(f"{forge.address}/{FORK}/blob/")
    commit = record.split("/")[-2]
    kept = subprocess.run(("git", "show", f"{commit}:run.json"), cwd=bare, capture_output=True, text=True, check=True)
    assert json.loads(kept.stdout)["run"]["id"] == landed.run.id
    assert str(tmp_path) not in kept.stdout

    assert "push --quiet --atomic" in spied.read_text()
    monkeypatch.delenv("GITHUB_TOKEN")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in ended.stdout + ended.stderr
    assert not (tmp_path / "trace").exists()
