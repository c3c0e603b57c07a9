"""Candidates of one run, judged by several processes, any of which may be killed: one verdict each, and none twice."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.config import load_config
from kmaint.errors import KmaintError
from kmaint.evaluate import Bench, check
from kmaint.evaluate.executors import Local
from kmaint.folder import read_harness
from kmaint.judging import RUNG, judge_in_run, judge_of_run, open_executor
from kmaint.records.evaluation import Candidate, Environment, Evaluation, NotBuilt, Plan
from kmaint.records.harness import Harness
from kmaint.records.run import Budget, Run
from kmaint.store import DATABASE, Store

CASE = Path(__file__).parent / "evaluate" / "cases" / "merge_state"
KILLS = 100
SLOWER_S = 0.02
"""What each judgement takes beside the gate's own few milliseconds, so that most kills hit one."""
RUN = Run(
    id="merge-1a2b",
    harness="h/merge_state",
    kernel="ops/merge_state.py::merge_state_kernel",
    provider="scripted",
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


def candidates(count: int) -> list[Candidate]:
    """Each has a slip of its own, and so a verdict at the gate's first rung."""
    plan = Plan(bottleneck="unknown", edit="by hand", why="a test")
    sources = [f"def (  # {n}\n" for n in range(count)]
    return [Candidate(id=wire.digest(s), source=s, parent=None, plan=plan, provider="test") for s in sources]


def judge_all(state: Path, journal: Path, count: int) -> None:
    """Judge what is left of the candidates; each beginning, and each recording once it is done, is written down."""
    written = os.open(journal, os.O_APPEND | os.O_WRONLY | os.O_CREAT)

    def judge(harness: Harness, candidate: Candidate, bench: Bench) -> Evaluation:
        os.write(written, f"judging {candidate.id} {os.getpid()}\n".encode())
        time.sleep(random.uniform(0.0, SLOWER_S))
        return check(harness, candidate, bench)

    executor = Local([Bench(python=Path(sys.executable), device="none", environment=MACHINE)], jobs=2, judge=judge)
    mixed = random.sample(candidates(count), count)
    with Store(state) as store:
        store.begin(RUN)
        for found in judge_in_run(executor, read_harness(CASE), mixed, store, RUN.id):
            os.write(written, f"recorded {found.candidate.id} {os.getpid()}\n".encode())
    os.write(written, f"ended {os.getpid()} 0\n".encode())


FORK = """
import os, sys, test_judging
from pathlib import Path
state, journal, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
for _ in sys.stdin:  # a line: one more process that judges; its pid is the answer
    if (pid := os.fork()) == 0:
        os.setpgid(0, 0)
        test_judging.judge_all(state, journal, count)
        os._exit(0)
    print(pid, flush=True)
"""


class Crew:
    """Processes that judge, forked from one that has imported everything."""

    def __init__(self, folder: Path, count: int) -> None:
        self.state, self.journal = folder / "state", folder / "journal"
        root, here = str(Path(__file__).parents[1]), str(Path(__file__).parent)
        self.forker = subprocess.Popen(
            [sys.executable, "-c", FORK, str(self.state), str(self.journal), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{here}"},
        )

    def start(self) -> int:
        assert self.forker.stdin is not None and self.forker.stdout is not None
        self.forker.stdin.write("\n")
        self.forker.stdin.flush()
        return int(self.forker.stdout.readline())

    def kill(self, pid: int) -> None:
        """The journal says so first: whoever takes a claim over does it after that."""
        with self.journal.open("a") as journal:
            journal.write(f"killing {pid} 0\n")
        os.kill(pid, signal.SIGKILL)

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.journal.read_text().splitlines()] if self.journal.exists() else []

    def wait_for(self, what: Callable[[list[list[str]]], bool]) -> None:
        until = time.monotonic() + 120
        while not what(self.lines()):
            assert time.monotonic() < until, self.lines()[-5:]
            time.sleep(0.02)


def survives(folder: Path, *, kills: int, count: int) -> None:
    """Three processes judge at any time; `kills` times one of them is killed at a random point, and another started."""
    crew, pace = Crew(folder, count), random.Random(7)
    with crew.forker:
        running = [crew.start() for _ in range(3)]
        for _ in range(kills):
            time.sleep(pace.uniform(0.0, 0.06))
            killed = running.pop(pace.randrange(len(running)))
            crew.kill(killed)
            running.append(crew.start())
        crew.wait_for(lambda lines: {line[1] for line in lines if line[0] == "ended"} >= {str(pid) for pid in running})
        assert crew.forker.stdin is not None
        crew.forker.stdin.close()
    assert_judged_once(crew.lines(), crew.state, candidates(count))


def assert_judged_once(journal: list[list[str]], state: Path, expected: list[Candidate]) -> None:
    with Store(state) as store:
        found = store.run(RUN.id).evaluations
    assert Counter(one.candidate.id for one in found) == Counter(one.id for one in expected)  # none lost, none twice
    assert all(isinstance(one.verdict, NotBuilt) and one.verdict.codes == ("syntax",) for one in found)
    with closing(sqlite3.connect(state / DATABASE)) as database:
        assert database.execute("SELECT count(*) FROM claims").fetchall() == [(0,)]
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    recorded, judging, killed = set[str](), dict[str, str](), set[str]()
    for what, name, pid in journal:
        if what == "killing":
            killed.add(name)
        elif what == "recorded":
            recorded.add(name)
        elif what == "judging":
            assert name not in recorded, f"{name} was judged again after its verdict was recorded"
            assert judging.get(name) in (None, *killed), f"{name} was judged by two processes at once"
            judging[name] = pid


def test_two_processes_share_a_run(tmp_path: Path) -> None:
    survives(tmp_path, kills=4, count=120)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_kills_lose_no_verdict_and_repeat_none(tmp_path: Path) -> None:
    survives(tmp_path, kills=KILLS, count=2500)


def test_each_rung_is_noted_as_it_is_begun(tmp_path: Path) -> None:
    (candidate,) = candidates(1)
    with Store(tmp_path) as store:
        store.begin(RUN)
        bench = Bench(python=Path(sys.executable), device="none", environment=MACHINE)
        found = judge_of_run(bench, read_harness(CASE), store, RUN.id)(candidate)
        assert store.evaluation(RUN.id, candidate.id) == found
        (noted,) = store.events(RUN.id)
        assert (noted.kind, noted.payload) == (RUNG, {"candidate": candidate.id, "doing": "lint"})


def test_a_judgement_that_raises_frees_its_candidate(tmp_path: Path) -> None:
    def fails(harness: Harness, candidate: Candidate, bench: Bench) -> Evaluation:
        raise ValueError("no such harness")

    bench = Bench(python=Path(sys.executable), device="none", environment=MACHINE)
    with Store(tmp_path) as store, Store(tmp_path) as other:
        store.begin(replace(RUN))
        with pytest.raises(ValueError, match="no such harness"):
            list(judge_in_run(Local([bench], judge=fails), read_harness(CASE), candidates(1), store, RUN.id))
        assert other.claim(RUN.id, candidates(1)[0].id) == "ours"
        assert store.claim(RUN.id, candidates(1)[0].id) == "theirs"


def test_the_best_is_neither_for_a_machine_without_a_gpu_nor_for_a_cluster() -> None:
    for settings, said in (
        ({"device": "none"}, "--best: nothing can be timed without a GPU"),
        ({"executor": "ray"}, "--best: not with --executor ray, whose processes do not know who has won"),
    ):
        with pytest.raises(KmaintError) as caught, open_executor(load_config(**settings), print, best=True):
            pass
        assert caught.value.message == said
