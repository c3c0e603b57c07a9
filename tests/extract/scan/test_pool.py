from __future__ import annotations

import os
import signal
from pathlib import Path

from extract.scan.pool import MIN_CALLS, crew

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


def test_no_child_outlives_the_block() -> None:
    with crew(dict[str, int]()) as workers:
        workers.map(double_and_count, CALLS)
        children = [child.process for child in workers._children if child]
    assert [process for process in children if Path(f"/proc/{process}").exists()] == []
