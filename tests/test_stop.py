"""Work that is let go of ends what runs for it, once, and gives nothing."""

from __future__ import annotations

import threading

import pytest

from kmaint.stop import Stop, Stopped


def test_what_is_wanted_goes_on() -> None:
    stop, ended = Stop(), list[str]()
    with stop.ending(lambda: ended.append("a")):
        stop.check()
    stop.let_go()
    assert ended == [], "it had ended by itself"


def test_all_that_runs_is_ended_and_says_so() -> None:
    stop, running = Stop(), threading.Barrier(3)
    ended, stopped = list[str](), list[str]()

    def run(name: str) -> None:
        over = threading.Event()

        def end() -> None:
            ended.append(name)
            over.set()

        try:
            with stop.ending(end):
                running.wait(timeout=30)
                assert over.wait(timeout=30)
        except Stopped:
            stopped.append(name)

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    running.wait(timeout=30)
    stop.let_go()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(ended) == sorted(stopped) == ["a", "b"]


def test_what_is_begun_too_late_is_ended_at_once() -> None:
    stop, ended = Stop(), list[str]()
    stop.let_go()
    with pytest.raises(Stopped):
        stop.check()
    with pytest.raises(Stopped), stop.ending(lambda: ended.append("a")):
        assert ended == ["a"]
    assert ended == ["a"]


def test_what_went_wrong_meanwhile_has_the_word() -> None:
    stop = Stop()

    def fails() -> None:
        with stop.ending(lambda: None):
            stop.let_go()
            raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        fails()
