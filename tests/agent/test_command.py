"""A coding agent's program, played by a small script: it edits, hangs, escapes, fails or does nothing."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.agent.chain import improve, original
from kmaint.agent.command import Command, open_command
from kmaint.agent.dialogue import Dialogue
from kmaint.agent.proposal import Request
from kmaint.config import load_config
from kmaint.errors import MissingError, UsageError
from kmaint.evaluate import Bench
from kmaint.records.harness import Harness
from kmaint.records.run import Budget
from kmaint.sandbox import workspace_walls
from tests.agent.conftest import looked_up

AGENT = """
import json, os, pathlib, subprocess, sys, time
what, folder, outside = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
task = sys.stdin.read()
assert task == (folder / "TASK.md").read_text() and json.loads((folder / "profile.json").read_text())
kernel = folder / "kernel.py"
edited = kernel.read_text().replace("tl.exp(p_lse) / out_se", "tl.exp(p_lse) * (1.0 / out_se)")
if what == "edit":
    kernel.write_text(edited)
elif what == "hang":
    kernel.write_text(edited)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(87.5)", str(outside)])
    time.sleep(60)
elif what == "escape":
    for path in (outside / "harness.toml", outside / "new"):
        try:
            path.write_text("x")
        except OSError:
            pass
    kernel.write_text(edited)
elif what == "link":
    kernel.unlink()
    kernel.symlink_to(outside / "harness.toml")
elif what == "fail":
    kernel.write_text(edited)
    sys.exit("not logged in" if len(sys.argv) < 5 else int(sys.argv[4]))
elif what == "frame":
    kernel.write_text("import os\\n" + kernel.read_text())
elif what == "another" and json.loads((folder / "history.json").read_text()):
    kernel.write_text(kernel.read_text().replace("tl.exp(s_lse) / out_se", "tl.exp(s_lse) * (1.0 / out_se)"))
elif what == "another":
    kernel.write_text(edited)
elif what == "tell":
    kernel.write_text(edited.replace("# Avoid", "# " + " ".join(sorted(os.environ)) + " Avoid"))
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "harness.toml").write_text("as it was")
    return folder


def command(what: str, outside: Path, dialogue: Dialogue, *, timeout_s: float = 60.0) -> Command:
    program = outside.parent / "agent.py"
    program.write_text(AGENT)
    words = (sys.executable, str(program), what, "{workspace}", str(outside))
    return Command(words=words, dialogue=dialogue, timeout_s=timeout_s, walls=workspace_walls())


def test_what_it_made_of_the_file_is_the_proposal(request_: Request, outside: Path) -> None:
    dialogue = Dialogue()
    proposal = command("edit", outside, dialogue).propose(request_)
    assert proposal is not None
    assert "tl.exp(p_lse) * (1.0 / out_se)" in proposal.source
    assert (proposal.plan.edit, proposal.plan.anchor) == ("edit of merge_state_kernel", (59, 59))
    (said,) = dialogue.exchanges
    assert (said.role, said.fault, said.answer) == ("coder", "", proposal.source)
    assert said.candidate == wire.digest(proposal.source)
    assert said.prompt.startswith("--- kernel.py\n")
    assert (said.usage.cost_usd, said.sandbox) == (None, workspace_walls().level)
    assert 0 < said.seconds < 60


def test_the_same_request_is_not_given_to_it_twice(request_: Request, outside: Path) -> None:
    dialogue = Dialogue()
    first = command("edit", outside, dialogue).propose(request_)
    assert command("hang", outside, dialogue).propose(request_) == first
    assert len(dialogue.exchanges) == 1


@pytest.mark.parametrize("strategy", ["greedy", "lines"])
def test_two_turns_from_one_parent_are_each_judged(
    harness: Harness, bench: Bench, outside: Path, strategy: str
) -> None:
    edits = {f"tl.exp({lse}) / out_se": f"tl.exp({lse}) * (1.0 / out_se)" for lse in ("p_lse", "s_lse")}
    session = looked_up(harness, bench, command("another", outside, Dialogue()), strategy, edits)
    found = list(improve(session, []))
    assert [one.candidate.source for one in found] == [original(harness).replace(*edit) for edit in edits.items()]
    assert [one.candidate.parent for one in found] == [None, None]


def test_one_that_hangs_is_killed_with_all_that_it_started(request_: Request, outside: Path) -> None:
    dialogue, started = Dialogue(), time.monotonic()
    assert command("hang", outside, dialogue, timeout_s=2.0).propose(request_) is None
    assert time.monotonic() - started < 30
    program = Path(sys.executable).name
    assert dialogue.exchanges[0].fault == f"{program} was killed: it did not end within 2 s"
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert not [words for words in commands if str(outside).encode() in words]


def test_it_is_killed_when_the_minutes_of_the_run_end_and_not_run_after_them(request_: Request, outside: Path) -> None:
    dialogue, started = Dialogue(budget=Budget(minutes=0.04)), time.monotonic()
    agent = command("hang", outside, dialogue)
    assert agent.propose(request_) is None
    assert time.monotonic() - started < 30
    assert dialogue.exchanges[0].fault.startswith(f"{agent.program} was killed: it did not end within 2.")
    assert dialogue.overspent == "the budget of 0.04 minutes is spent"
    assert command("edit", outside, dialogue).propose(request_) is None
    assert len(dialogue.exchanges) == 1


def test_it_writes_nowhere_but_in_its_folder(request_: Request, outside: Path) -> None:
    if workspace_walls().level == "none":
        pytest.skip(f"no walls on this machine: {workspace_walls().reason}")
    proposal = command("escape", outside, Dialogue()).propose(request_)
    assert proposal is not None
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"harness.toml": "as it was"}


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ("nothing", "kernel.py is as it was: nothing changed"),
        ("link", "kernel.py is no file of at most 1048576 bytes any more"),
        ("frame", "text outside the regions changed, at its line 1"),
    ],
)
def test_what_is_no_candidate_is_a_fault(request_: Request, outside: Path, what: str, fault: str) -> None:
    dialogue = Dialogue()
    assert command(what, outside, dialogue).propose(request_) is None
    assert dialogue.exchanges[0].fault.startswith(fault)


def test_a_program_that_fails_ends_the_run_with_what_it_said(request_: Request, outside: Path) -> None:
    failing = command("fail", outside, Dialogue())
    program = Path(sys.executable).name
    for agent, fault in (
        (failing, f"{program} ended with exit status 1: not logged in"),
        (replace(failing, words=(*failing.words, "3")), f"{program} ended with exit status 3: no output"),
    ):
        with pytest.raises(MissingError) as error:
            agent.propose(request_)
        assert error.value.message == agent.dialogue.exchanges[-1].fault == fault


def test_it_gets_the_key_of_its_model_and_no_other_secret(
    request_: Request, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MADE_UP_API_KEY", "k")
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    proposal = command("tell", outside, Dialogue()).propose(request_)
    assert proposal is not None
    assert " MADE_UP_API_KEY " in proposal.source
    assert "TMPDIR" in proposal.source
    assert "GITHUB_TOKEN" not in proposal.source


def test_where_nothing_keeps_it_in_its_folder_it_is_not_run() -> None:
    """As on a machine with neither kind of walls."""
    with pytest.raises(MissingError, match="nothing keeps 'sh' in its folder here"):
        open_command(load_config(command=("sh", "-c", "true")), Dialogue(), most="none")


def test_what_the_settings_lack_is_said_before_anything_slow() -> None:
    with pytest.raises(UsageError) as bare:
        open_command(load_config(), Dialogue())
    with pytest.raises(MissingError) as absent:
        open_command(load_config(command=("no-such-agent", "{workspace}")), Dialogue())
    assert str(bare.value) == (
        "provider 'command' needs a command line; "
        'set it in kmaint.toml: command = ["PROGRAM", "ARGUMENT", "{workspace}"]'
    )
    assert str(absent.value) == "command: there is no program 'no-such-agent'; install it, or give its full path"
    if workspace_walls().level == "none":
        with pytest.raises(MissingError, match="nothing keeps 'sh' in its folder here"):
            open_command(load_config(command=("sh", "-c", "true")), Dialogue())
        return
    found = open_command(load_config(command=("sh", "-c", "true"), answer_minutes=2.0), Dialogue())
    assert (Path(found.words[0]).is_absolute(), found.words[1:], found.timeout_s) == (True, ("-c", "true"), 120.0)
