from __future__ import annotations

import os
import select
import signal
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from extract.scan.pool import MAX_PIECES, MIN_CALLS, _Queue, crew

CALLS = [(str(number), number) for number in range(MIN_CALLS * 2)]
HERE = os.getpid()


def double_and_count(seen: dict[str, int], key: str, number: int) -> tuple[int, int]:
    seen[key] = seen.get(key, 0) + 1
    return 2 * number, seen[key]


def die_elsewhere(_seen: dict[str, int], _key: str, number: int) -> int:
    if os.getpid() != HERE:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_answers_come_in_order_and_each_key_stays_where_it_was() -> None:
    with crew(dict[str, int]()) as workers:
        for round_ in (1, 2, 3):
            assert workers.map(double_and_count, CALLS) == [(2 * number, round_) for _, number in CALLS]


def test_what_killed_children_leave_is_done_here_in_every_round() -> None:
    with crew(dict[str, int]()) as workers:
        for _ in range(2):
            assert workers.map(die_elsewhere, CALLS) == [number for _, number in CALLS]
            assert workers.begin(die_elsewhere, CALLS)() == [number for _, number in CALLS]


def who(_state: dict[str, int], _key: str, _number: int) -> int:
    return os.getpid()


def slow_here(_state: dict[str, int], _key: str, _number: int) -> int:
    time.sleep(0.1 if os.getpid() == HERE else 0)
    return os.getpid()


two_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has no children")


@two_cores
def test_whoever_is_free_takes_the_next_call() -> None:
    with crew(dict[str, int]()) as workers:
        done = Counter(workers.map(slow_here, CALLS))
    assert 0 < done[HERE] < len(CALLS) / 4


@two_cores
def test_children_begin_while_this_process_does_something_else() -> None:
    with crew(dict[str, int]()) as workers:
        results = workers.begin(who, CALLS)
        while select.select([workers._queue._ends[0]], [], [], 0)[0]:
            time.sleep(0.01)
        assert HERE not in results()


def test_a_key_stays_where_it_was_begun() -> None:
    with crew(dict[str, int]()) as workers:
        assert workers.begin(double_and_count, CALLS)() == [(2 * number, 1) for _, number in CALLS]
        assert workers.map(double_and_count, CALLS) == [(2 * number, 2) for _, number in CALLS]


@pytest.mark.parametrize("count", [0, 1, MAX_PIECES - 1, MAX_PIECES, 3 * MAX_PIECES + 1])
def test_each_place_of_a_queue_is_taken_once(count: int) -> None:
    queue = _Queue()
    for _ in range(2):
        queue.put(count)
        taken = queue.take()
        first = list(islice(taken, count // 3))
        assert [*first, *taken] == list(range(count))
    queue.close()


def test_no_child_outlives_the_block() -> None:
    with crew(dict[str, int]()) as workers:
        workers.map(double_and_count, CALLS)
        children = [child.process for child in workers._children if child]
    assert [process for process in children if Path(f"/proc/{process}").exists()] == []
