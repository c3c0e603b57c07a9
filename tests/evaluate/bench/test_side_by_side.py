import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.evaluate.bench import side_by_side

INTERRUPTED = """
import os, signal, threading, time
from kmaint.evaluate.bench import side_by_side
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
side_by_side(time.sleep, [600, 600])
"""


@given(st.lists(st.integers(), max_size=8))
def test_as_a_loop_would(items: list[int]) -> None:
    assert side_by_side(lambda item: item * 2, items) == [item * 2 for item in items]


def test_all_are_under_way_at_once() -> None:
    meeting = threading.Barrier(3, timeout=30)
    assert sorted(side_by_side(lambda _: meeting.wait(), "abc")) == [0, 1, 2]


def test_what_one_raises_is_raised_while_others_wait() -> None:
    never = threading.Event()

    def work(item: int) -> None:
        if item:
            raise ValueError(item)
        never.wait()

    with pytest.raises(ValueError, match="7"):
        side_by_side(work, [0, 7])


def test_an_interrupted_command_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED], timeout=60, capture_output=True, text=True, check=False)
    assert ended.stderr.strip().endswith("KeyboardInterrupt")
