"""The default: this machine. Every GPU has its share of places, and what needs no GPU fills the cores meanwhile."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kmaint.evaluate.bench import Bench
from kmaint.evaluate.executors.work import Work, hand_out
from kmaint.evaluate.gate import check
from kmaint.records.evaluation import Candidate, Evaluation
from kmaint.records.harness import Harness

MOST_PLACES = 16
"""Of one GPU: those that check share it, and the one that measures waits for each of them to end its example."""

SHARE = {"cuda": 0.75, "none": 1.0}
"""Of the cores, for candidates: on a GPU's host the rest is for what launches and watches its measurements."""
SWITCH_S = 2e-4
"""How long a thread may keep the others from running."""

Judge = Callable[[Harness, Candidate, Bench], "Evaluation | Later"]


@dataclass(frozen=True)
class Later:
    """No verdict yet: `judge` goes on once no candidate waits that has a smaller rank; a new one has rank 0."""

    rank: float
    judge: Judge


class Local:
    """Judges on the benches, `jobs` candidates at a time on each; by default as many as there are cores for.

    With `at_once` no candidate waits outside, so that a judge which puts some off sees all of them before.
    """

    def __init__(
        self,
        benches: Sequence[Bench],
        *,
        jobs: int | None = None,
        threads: int | None = None,
        judge: Judge = check,
        at_once: bool = False,
    ) -> None:
        self.jobs = jobs or max(1, min(MOST_PLACES, int(cores() * SHARE[benches[0].device]) // len(benches)))
        threads = threads or max(1, cores() // (self.jobs * len(benches)))
        self._benches = [dataclasses.replace(bench, threads=threads) for bench in benches]
        self._judge, self._at_once = judge, at_once

    def judge(self, work: Work) -> Iterator[Evaluation]:
        """Each candidate climbs in a thread of its own; all that is slow in it runs in other processes."""
        # Where a measurement is timed from here, other threads' arithmetic must not hold it up for 5 ms each.
        sys.setswitchinterval(SWITCH_S)
        most = len({candidate.id for candidate in work.candidates})
        places = Threads(work.harness, self._judge)
        for n in range(min(most, self.jobs * len(self._benches))):
            places.add(self._benches[n % len(self._benches)], alone=most == 1)
        if self._at_once:
            places.free = most
        try:
            yield from hand_out(work, places)
        finally:
            places.close()


def cores() -> int:
    """Of the machine, those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Threads:
    """Threads that take candidates from one queue, smallest rank first, each with the bench of its GPU.

    They are daemons: a command that is interrupted ends at once, and the programs that they wait for end with it.
    """

    def __init__(self, harness: Harness, judge: Judge) -> None:
        self._harness, self._judge = harness, judge
        self._given: queue.PriorityQueue[tuple[float, int, Candidate | None, Judge]] = queue.PriorityQueue()
        self._done: queue.SimpleQueue[Evaluation | BaseException] = queue.SimpleQueue()
        self.free = 0
        self._threads, self._number = 0, itertools.count()

    def add(self, bench: Bench, *, alone: bool) -> None:
        """One more place; `alone` where no other candidate's progress is told beside."""
        threading.Thread(target=self._work, args=(bench, alone), daemon=True).start()
        self.free += 1
        self._threads += 1

    def start(self, candidate: Candidate) -> None:
        self.free -= 1
        self._give(0.0, candidate, self._judge)

    def finished(self, within_s: float | None) -> Evaluation | None:
        try:
            found = self._done.get(timeout=within_s)
        except queue.Empty:
            return None
        self.free += 1
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        for _ in range(self._threads):
            self._give(-math.inf, None, self._judge)

    def _give(self, rank: float, candidate: Candidate | None, judge: Judge) -> None:
        self._given.put((rank, next(self._number), candidate, judge))  # of one rank, who came first

    def _work(self, bench: Bench, alone: bool) -> None:
        while True:
            _, _, candidate, judge = self._given.get()
            if candidate is None:
                return
            told = bench if alone else dataclasses.replace(bench, progress=_prefixed(bench, candidate))
            try:
                found = judge(self._harness, candidate, told)
            except BaseException as error:  # noqa: BLE001 - raised again where the evaluations are taken
                self._done.put(error)
                continue
            if isinstance(found, Later):
                self._give(found.rank, candidate, found.judge)
            else:
                self._done.put(found)


def _prefixed(bench: Bench, candidate: Candidate) -> Callable[[str], None]:
    return lambda text: bench.progress(f"{candidate.id}: {text}")
