"""The store: what is recorded is there, in order, once, whoever else writes and however the writer ends."""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.errors import UsageError
from kmaint.records.evaluation import Candidate, Environment, Evaluation, Plan, Profile, Wrong
from kmaint.records.run import Budget, Run
from kmaint.store import DATABASE, STARTED, Store

RUN = Run(
    id="merge-1a2b",
    harness="h/merge_state",
    kernel="ops/merge_state.py::merge_state_kernel",
    provider="builtin",
    strategy="lines",
    budget=Budget(),
    state="running",
    created="2026-11-01T00:00:00",
)
MACHINE = Environment(
    device=None,
    device_uuid=None,
    arch="sm_90",
    driver=None,
    python="3.11",
    torch="2.13.0",
    triton="3.7.1",
    cuda=None,
    platform="linux",
    multiprocessors=None,
    l2_bytes=None,
    memory_bandwidth_gbps=None,
)
BASELINE = Profile(bottleneck="memory", estimated=True, resources=(), roofline_fraction=0.4, next_step="time it")


def evaluation(source: str, log: str = "") -> Evaluation:
    plan = Plan(bottleneck="memory", edit="wider loads", why="two bytes a thread", anchor=(3, 9))
    candidate = Candidate(id=wire.digest(source), source=source, parent=None, plan=plan, provider="scripted")
    return Evaluation(
        candidate=candidate,
        verdict=Wrong(reason="return[0] is 1.0, not 2.0", codes=("mismatch",), log=log),
        rungs=(),
        environment=MACHINE,
    )


def test_a_run_is_read_back_as_it_was_recorded(tmp_path: Path) -> None:
    found = (evaluation("a = 1\r\nb = 'µ'\n", log="first\nsecond"), evaluation("a = 2\n"))
    with Store(tmp_path) as store:
        store.begin(RUN)
        for one in found:
            store.record(RUN.id, one)
        store.keep_baseline(RUN.id, BASELINE)
        store.finish(RUN.id, "won", found[1].candidate.id)
    with Store(tmp_path) as store:
        best = found[1].candidate.id
        assert store.run(RUN.id) == replace(RUN, evaluations=found, state="won", best=best, baseline=BASELINE)
        assert store.runs() == [store.run("merge")]


def test_beginning_a_run_again_resumes_it_and_recording_a_verdict_again_changes_nothing(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.begin(RUN)
        store.record(RUN.id, evaluation("a = 1\n"))
        store.record(RUN.id, replace(evaluation("a = 1\n"), rungs=()))
        resumed = store.begin(replace(RUN, strategy="greedy", created="2026-11-02T00:00:00"))
    assert resumed == replace(RUN, evaluations=(evaluation("a = 1\n"),))


def test_events_keep_their_order_and_may_hold_records(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.begin(RUN)
        store.note(RUN.id, "plan", evaluation("a").candidate.plan)
        store.note(RUN.id, "stopped", {"reason": "no idea left"})
        events = store.events(RUN.id)
    assert [(event.kind, event.payload) for event in events] == [
        ("plan", wire.dump(evaluation("a").candidate.plan)),
        ("stopped", {"reason": "no idea left"}),
    ]
    assert events[0].number < events[1].number


def test_a_run_is_worked_on_as_long_as_who_took_it_up_is_there(tmp_path: Path) -> None:
    with Store(tmp_path) as store, Store(tmp_path) as other:
        store.begin(replace(RUN, state="won", best="b"))
        assert not other.is_worked_on(RUN.id)
        started = store.start(RUN.id, Budget(candidates=3))
        assert (started.state, started.best, started.budget) == ("running", "b", Budget(candidates=3))
        assert other.is_worked_on(RUN.id)
        other.start(RUN.id, Budget(candidates=3))
    with Store(tmp_path) as store:
        assert not store.is_worked_on(RUN.id)
        assert [event.kind for event in store.events(RUN.id)] == [STARTED, STARTED]


def test_the_version_changes_with_what_others_write(tmp_path: Path) -> None:
    with Store(tmp_path) as store, Store(tmp_path) as other:
        first = store.version()
        assert store.version() == first
        other.begin(RUN)
        assert store.version() != first


def test_errors_say_which_run_and_what_next(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        with pytest.raises(UsageError) as none:
            store.run("merge")
        store.begin(RUN)
        store.begin(replace(RUN, id="merge-1a9f"))
        with pytest.raises(UsageError) as unknown:
            store.run("merge-2a2b")
        with pytest.raises(UsageError) as ambiguous:
            store.run("merge-1")
        with pytest.raises(UsageError) as orphan:
            store.record("nowhere", evaluation("a"))
    assert str(none.value) == f"no run 'merge' in {tmp_path}; there are no runs yet: 'kmaint optimize' makes one"
    assert str(unknown.value) == f"no run 'merge-2a2b' in {tmp_path}; the nearest are merge-1a2b, merge-1a9f"
    assert str(ambiguous.value) == "run 'merge-1' could be merge-1a2b, merge-1a9f; give more of the id"
    assert str(orphan.value) == f"no run 'nowhere' in {tmp_path}; begin it first"


def test_a_file_from_a_newer_kmaint_is_left_alone(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / DATABASE)
    database.execute("PRAGMA user_version = 7")
    database.close()
    with pytest.raises(UsageError) as newer:
        Store(tmp_path)
    assert str(newer.value) == (
        f"{tmp_path / DATABASE}: written by a newer kmaint (schema 7; this one reads 3); upgrade kmaint"
    )


def test_a_folder_that_cannot_hold_runs_is_named(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_text("not a database at all, but quite long enough to be read as one by its header")
    with pytest.raises(UsageError) as broken:
        Store(tmp_path)
    assert str(broken.value) == f"{tmp_path}: cannot keep runs there: file is not a database; name a folder of your own"


def write(state: Path, name: str, count: int, said: int) -> None:
    """Record and note `count` things, and say each on the file descriptor once the store has it."""
    with Store(state) as store:
        store.begin(RUN)
        for number in range(count):
            store.record(RUN.id, evaluation(f"{name} = {number}\n", log=f"log of {name} {number}\n" * 50))
            store.note(RUN.id, "said", {"name": name, "number": number})
            os.write(said, f"{name} = {number}\n".encode())


FORK = """
import os, sys, test_store
from pathlib import Path
state = Path(sys.argv[1])
for line in sys.stdin:  # NAME COUNT: a child that writes; its pid is the answer
    name, count = line.split()
    if (pid := os.fork()) == 0:
        test_store.write(state, name, int(count), 2)
        os._exit(0)
    print(pid, flush=True)
while os.environ.get("WAIT"):
    try:
        assert os.wait()[1] == 0
    except ChildProcessError:
        break
"""
"""A process that has imported everything and forks writers on request, so that ten of them start in a blink."""


def forking(state: Path, said: Path, **env: str) -> subprocess.Popen[str]:
    root, here = str(Path(__file__).parents[1]), str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{here}", **env}
    with said.open("ab") as stderr:
        return subprocess.Popen(
            [sys.executable, "-c", FORK, str(state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
        )


def test_four_processes_write_one_run(tmp_path: Path) -> None:
    with forking(tmp_path / "state", tmp_path / "said", WAIT="1") as forker:
        forker.communicate("".join(f"{name} 25\n" for name in "abcd"), timeout=60)
    assert forker.returncode == 0, (tmp_path / "said").read_text()
    with Store(tmp_path / "state") as store:
        sources = [one.candidate.source for one in store.run(RUN.id).evaluations]
        events = store.events(RUN.id)
    assert sorted(sources) == sorted(f"{name} = {number}\n" for name in "abcd" for number in range(25))
    for name in "abcd":  # each process's own order is kept
        assert [s for s in sources if s.startswith(name)] == [f"{name} = {number}\n" for number in range(25)]
    assert len(events) == 100


def test_a_killed_writer_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    """Ten writers, each killed at a random point: whatever one said it had recorded is there, whole."""
    pace = random.Random(7)
    with forking(tmp_path / "state", tmp_path / "said") as forker:
        assert forker.stdin is not None and forker.stdout is not None
        for round_number in range(10):
            forker.stdin.write(f"w{round_number} 1000000\n")
            forker.stdin.flush()
            pid = int(forker.stdout.readline())
            while f"w{round_number} = 0\n" not in (tmp_path / "said").read_text():
                time.sleep(0.001)
            time.sleep(pace.uniform(0.0, 0.1))
            os.kill(pid, signal.SIGKILL)
    said = set((tmp_path / "said").read_text().splitlines(keepends=True))
    assert len(said) >= 10
    with Store(tmp_path / "state") as store:
        found = {one.candidate.source: one.verdict for one in store.run(RUN.id).evaluations}
    assert said <= found.keys()
    for source, verdict in found.items():
        name, number = re.findall(r"\w+", source)
        assert isinstance(verdict, Wrong)
        assert verdict.log == f"log of {name} {number}\n" * 50
    with closing(sqlite3.connect(tmp_path / "state" / DATABASE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
