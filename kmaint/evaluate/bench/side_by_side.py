"""Pieces of one candidate's work beside one another."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


def side_by_side(work: Callable[[Item], Found], items: Sequence[Item]) -> list[Found]:
    """What the work gives for each item, in order, each in a thread of its own; what one raises is raised here.

    The threads are daemons, which a pool's are not: a command that is interrupted ends, whatever they wait for.
    """
    if len(items) == 1:
        return [work(items[0])]
    answers: queue.SimpleQueue[tuple[int, Found]] = queue.SimpleQueue()
    raised: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
    done = threading.Semaphore(0)

    def run(number: int) -> None:
        try:
            answers.put((number, work(items[number])))
        except BaseException as error:  # noqa: BLE001 - raised again where the answers are taken
            raised.put(error)
        finally:
            done.release()

    for number in range(len(items)):
        threading.Thread(target=run, args=(number,), daemon=True).start()
    for _ in items:
        done.acquire()
        if not raised.empty():
            raise raised.get()
    found = dict(answers.get() for _ in items)
    return [found[number] for number in range(len(items))]
