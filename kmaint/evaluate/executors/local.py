"""The default: this machine. Every GPU has its share of places, and what needs no GPU fills the cores meanwhile."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from kmaint.evaluate.bench import Bench
from kmaint.evaluate.climbing import TO_SPARE
from kmaint.evaluate.executors.work import Work, hand_out
from kmaint.evaluate.gate import check
from kmaint.records.evaluation import Candidate, Evaluation
from kmaint.records.harness import Harness

MOST_PLACES = 16
"""Of one GPU: those that check share it, and the one that measures waits for each of them to end its example."""

SHARE = {"cuda": 0.75, "none": 1.0}
"""Of the cores, for candidates: on a GPU's host the rest is for what launches and watches its measurements."""
MANY_PLACES = 4
"""From here on one of them is spared for the best so far, before all others are begun."""
SWITCH_S = 2e-4
"""How long a thread may keep the others from running."""

Judge = Callable[[Harness, Candidate, Bench], "Evaluation | Later"]
Turn = Literal["first", "rival", "aside"]
"""For what a candidate has a thread: to be begun; or to go on, among few, or beside all others."""


@dataclass(frozen=True)
class Later:
    """No verdict yet: `judge` goes on once every candidate has a verdict or a rank, those of the smallest rank first;
    of many, once half have, where there are cores for it.

    What is no `rival` of the others goes on as soon as a place has nothing else to do.
    """

    rank: float
    judge: Judge
    rival: bool = True


class Local:
    """Judges on the benches, `jobs` candidates at a time on each; by default as many as there are cores for.

    Of those that the judge puts off as rivals, `rivals` are taken up again at a time on each. Each has `threads` of the
    cores; by default those that are judged at once share them all, so that few candidates have many each.
    """

    def __init__(
        self,
        benches: Sequence[Bench],
        *,
        jobs: int | None = None,
        threads: int | None = None,
        judge: Judge = check,
        rivals: int | None = None,
    ) -> None:
        self.jobs = jobs or max(1, min(MOST_PLACES, int(cores() * SHARE[benches[0].device]) // len(benches)))
        self._benches, self._threads = list(benches), threads
        self._judge, self._rivals = judge, rivals

    def judge(self, work: Work) -> Iterator[Evaluation]:
        """Each candidate climbs in a thread of its own; all that is slow in it runs in other processes."""
        # Where a measurement is timed from here, other threads' arithmetic must not hold it up for 5 ms each.
        sys.setswitchinterval(SWITCH_S)
        most = len({candidate.id for candidate in work.candidates})
        at_once = min(most, self.jobs * len(self._benches))
        threads = self._threads or max(1, cores() // max(1, at_once))
        benches = [dataclasses.replace(bench, threads=threads) for bench in self._benches]
        places = Threads(work.harness, self._judge, places=at_once, rivals=(self._rivals or 0) * len(benches))
        for n in range(at_once):
            places.add(benches[n % len(benches)], alone=most == 1)
        if self._rivals:
            places.free = most  # whoever is put off has to be compared with all others
        try:
            yield from hand_out(work, places)
        finally:
            places.close()


def cores() -> int:
    """Of the machine, those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(order=True)
class Waiting:
    """A candidate that waits for a thread: of one rank, who came first."""

    rank: float
    number: int
    candidate: Candidate = dataclasses.field(compare=False)
    judge: Judge = dataclasses.field(compare=False)
    turn: Turn = dataclasses.field(compare=False, default="first")


class Threads:
    """Threads that take candidates as they come, each with the bench of its GPU, and then those that were put off.

    They are daemons: a command that is interrupted ends at once, and the programs that they wait for end with it.
    """

    def __init__(self, harness: Harness, judge: Judge, *, places: int, rivals: int = 0) -> None:
        self._harness, self._judge, self._rivals = harness, judge, rivals
        self._places = places
        self._done: queue.SimpleQueue[Evaluation | BaseException] = queue.SimpleQueue()
        self._changed, self._numbers = threading.Condition(), itertools.count()
        self._waiting: dict[Turn, list[Waiting]] = {turn: [] for turn in get_args(Turn)}
        self._busy: dict[Turn, int] = dict.fromkeys(get_args(Turn), 0)
        self._all_given = self._closed = False
        self._given = self.free = 0

    def add(self, bench: Bench, *, alone: bool) -> None:
        """One more place; `alone` where no other candidate's progress is told beside."""
        self.free += 1
        threading.Thread(target=self._work, args=(bench, alone), daemon=True).start()

    def start(self, candidate: Candidate) -> None:
        self.free -= 1
        self._given += 1
        self._give(Waiting(0.0, next(self._numbers), candidate, self._judge))

    def finished(self, within_s: float | None) -> Evaluation | None:
        with self._changed:  # nobody asks before all that could be started are
            self._all_given = True
            self._changed.notify_all()
        try:
            found = self._done.get(timeout=within_s)
        except queue.Empty:
            return None
        self.free += 1
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """What waits is let go of; what runs is not waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _give(self, one: Waiting) -> None:
        with self._changed:
            heapq.heappush(self._waiting[one.turn], one)
            self._changed.notify_all()

    def _taken(self) -> Waiting | None:
        """The next to judge, once there is one; None after the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._next_turn())
            turn = self._next_turn()
            if self._closed or turn is None:
                return None
            self._busy[turn] += 1
            return heapq.heappop(self._waiting[turn])

    def _next_turn(self) -> Turn | None:
        spare = self._busy["rival"] + self._busy["aside"] < self._places
        if spare and self._waiting["rival"] and self._busy["rival"] < self._rivals and self._compared:
            return "rival"
        if self._waiting["first"]:
            return "first"
        if not spare:
            return None
        # As long as some are looked at, the other places are for those that may become rivals. Later on a rival that is
        # not timed waits for one compiler or one tool after the other, and leaves most cores idle.
        most = self._places if not self._busy["first"] else max(1, self._places // 2)
        return "aside" if self._waiting["aside"] and self._busy["aside"] < most else None

    @property
    def _compared(self) -> bool:
        """Whether a rival's rank says enough: all have one, or half of so many that the rest takes long."""
        left, busy = len(self._waiting["first"]), self._busy["first"]
        half = 2 * (self._given - left - busy) >= self._given
        early = half and left >= self._places >= MANY_PLACES
        return self._all_given and (
            not (left or busy) or (early and self._each(self._places - self._rivals) >= TO_SPARE)
        )

    def _each(self, others: int) -> int:
        """Cores for each rival, where so many others have one."""
        return (cores() - others) // self._rivals

    def _left(self, one: Waiting) -> None:
        with self._changed:
            self._busy[one.turn] -= 1
            self._changed.notify_all()

    def _work(self, bench: Bench, alone: bool) -> None:
        while (one := self._taken()) is not None:
            told = bench if alone else dataclasses.replace(bench, progress=_prefixed(bench, one.candidate))
            if one.turn == "rival":  # these are few, and share what the others leave
                left = self._each(self._busy["aside"] + self._busy["first"])
                told = dataclasses.replace(told, threads=max(told.threads, left))
            try:
                found = one.judge(self._harness, one.candidate, told)
                if isinstance(found, Later):
                    turn: Turn = "rival" if found.rival else "aside"
                    self._give(Waiting(found.rank, next(self._numbers), one.candidate, found.judge, turn))
                else:
                    self._done.put(found)
            except BaseException as error:  # noqa: BLE001 - raised again where the evaluations are taken
                self._done.put(error)
            finally:
                self._left(one)


def _prefixed(bench: Bench, candidate: Candidate) -> Callable[[str], None]:
    return lambda text: bench.progress(f"{candidate.id}: {text}")
