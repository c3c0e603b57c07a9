"""A run is watched while other processes write to it, by a process that reads the store and nothing else."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.config import load_config
from kmaint.judging import RUNG
from kmaint.records.evaluation import Evaluation
from kmaint.records.run import Budget, Run
from kmaint.store import Store
from kmaint.workflow import watching
from tests.learning.conftest import failed, measured_run, timed

BUDGET = Budget(candidates=5, minutes=30.0)
SAID = [
    failed("wrong", name="a", edit="tile_rows=4"),
    timed(1.9, 2.0, 2.1, win=True, name="b", edit="one_pass"),
]


def begun() -> Run:
    return replace(measured_run(), state="running", evaluations=(), best=None, budget=BUDGET)


def begin(store: Store) -> Run:
    return store.start(store.begin(begun()).id, BUDGET)


def plan(store: Store, run: Run, one: Evaluation) -> None:
    store.note(run.id, "plan", {"candidate": one.candidate.id, "plan": {"edit": one.candidate.plan.edit}})


WRITING = """
import sys, time
from pathlib import Path
from kmaint.judging import RUNG
from kmaint.store import Store
from tests.workflow.test_watching import SAID, begin, plan
with Store(Path(sys.argv[1])) as store:
    run = begin(store)
    print("begun", flush=True)
    for one in SAID:
        sys.stdin.readline()
        plan(store, run, one)
        for rung in ("lint", "compile"):
            store.note(run.id, RUNG, {"candidate": one.candidate.id, "doing": rung})
        sys.stdin.readline()
        store.record(run.id, one)
    sys.stdin.readline()
    store.finish(run.id, "won", SAID[1].candidate.id)
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


class Writer:
    """A process that works on a run, and goes one step on at a time."""

    def __init__(self, state: Path) -> None:
        words = [sys.executable, "-c", WRITING, str(state)]
        self.process = subprocess.Popen(words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "begun\n"

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@pytest.fixture
def writer(state: Path) -> Iterator[Writer]:
    found = Writer(state)
    yield found
    found.process.kill()
    found.process.communicate()


def watched(state: Path, **more: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "kmaint", "watch", begun().id[:9], "--state", str(state)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    return subprocess.Popen(
        words,
        stdout=more.get("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        env=environment,
        # Whatever a shell's background made of it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_in_a_pipe_each_verdict_is_a_line_as_it_comes(state: Path, writer: Writer) -> None:
    watcher = watched(state)
    assert watcher.stdout is not None
    writer.go_on()
    writer.go_on()
    assert watcher.stdout.readline() == b"a (tile_rows=4): wrong (mismatch): 0.5, not 0.25\n"
    for _ in range(3):
        writer.go_on()
    rest, errors = watcher.communicate(timeout=30)
    assert rest.decode().splitlines() == [
        "b (one_pass): passed, bit-exact; 2.00x (1.90 to 2.10)",
        "won  after 2 candidates",
    ]
    assert (watcher.returncode, errors) == (0, b"")


def read_until(terminal: int, wanted: str, seconds: float = 30.0) -> str:
    """What the terminal shows up to the wanted words."""
    shown, until = "", time.monotonic() + seconds
    while wanted not in shown:
        assert time.monotonic() < until, shown
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536).decode()
    return shown


def test_on_a_terminal_it_is_drawn_anew_and_an_interrupt_leaves_the_run_alone(state: Path, writer: Writer) -> None:
    ours, theirs = pty.openpty()
    watcher = watched(state, stdout=theirs)
    try:
        writer.go_on()
        shown = read_until(ours, "now      a (tile_rows=4): compile")
        assert "running  by builtin, lines" in shown
        assert re.search(r"budget   0 of 5 candidates, [0-9.]+ of 30 minutes", shown)
        for _ in range(3):
            writer.go_on()
        shown = read_until(ours, "best     b (one_pass): passed, bit-exact; 2.00x (1.90 to 2.10)")
        funnel = "2 attempted, 2 built, 1 right, 1 honest, 1 timed, 1 faster, 1 accepted"
        assert funnel in shown or read_until(ours, funnel)
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(timeout=30) == 130
        assert writer.process.poll() is None
    finally:
        watcher.kill()
        watcher.communicate()
        os.close(ours)
        os.close(theirs)


def test_a_run_whose_process_was_killed_has_ended(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "DESERTED_S", 0.1)
    writer = Writer(state)
    writer.go_on()
    time.sleep(0.2)
    writer.process.kill()
    writer.process.communicate()
    seen = list(watching.watch(begun().id, load_config(state=state), every_s=0.05))
    assert (seen[-1].at_work, seen[-1].under_way, seen[-1].run.state) == (False, (), "running")


def test_what_is_under_way_is_what_was_planned_since_the_start_and_has_no_verdict(state: Path) -> None:
    with Store(state) as store:
        run = begin(store)
        plan(store, run, SAID[0])  # by a process that was killed
        run = begin(store)
        plan(store, run, SAID[1])
        store.note(run.id, RUNG, {"candidate": "c", "doing": "time, confirming"})
        store.note(run.id, "screening", {})
        (first, second) = next(watching.watch(run.id, load_config(state=state))).under_way
        assert (first.candidate, first.edit, first.doing) == ("b", "one_pass", "planned")
        assert (second.candidate, second.doing) == ("c", "time, confirming")
        store.record(run.id, SAID[1])
        glimpse = next(watching.watch(run.id, load_config(state=state)))
        assert [one.candidate for one in glimpse.under_way] == ["c"]
        assert glimpse.best is not None
        assert glimpse.best.candidate.id == "b"


def test_several_processes_may_work_on_it(state: Path, writer: Writer) -> None:
    with Store(state) as store:
        begin(store)
        assert store.is_worked_on(begun().id)
    with Store(state) as store:
        assert store.is_worked_on(begun().id), "the other one still does"
        writer.process.kill()
        writer.process.wait()
        assert not store.is_worked_on(begun().id)
