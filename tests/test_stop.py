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


def test_what_was_ended_is_not_ended_twice() -> None:
    stop, ended = Stop(), list[str]()

    def works() -> None:
        with stop.ending(lambda: ended.append("a")):
            stop.let_go()
            stop.let_go()

    with pytest.raises(Stopped):
        works()
    stop.let_go()
    assert ended == ["a"]


class Gate:
    """A context that is entered once it is opened, and counts who is inside."""

    def __init__(self) -> None:
        self.opened, self.asked, self.left = threading.Event(), threading.Event(), threading.Event()
        self.inside = 0

    def __enter__(self) -> None:
        self.asked.set()
        assert self.opened.wait(timeout=30)
        self.inside += 1

    def __exit__(self, *_: object) -> None:
        self.inside -= 1
        self.left.set()


def test_a_context_that_can_be_had_is_entered_and_left() -> None:
    gate, stop = Gate(), Stop()
    gate.opened.set()
    with stop.waiting(gate):
        assert gate.inside == 1
        stop.let_go()
        assert gate.inside == 1, "who is inside has it until he leaves"
    assert gate.inside == 0


def test_nobody_who_was_let_go_of_waits_for_a_context_or_keeps_it() -> None:
    gate, stop = Gate(), Stop()

    def enters() -> None:
        with stop.waiting(gate):
            raise AssertionError("it was never opened")

    def lets_go() -> None:
        assert gate.asked.wait(timeout=30)
        stop.let_go()

    waits = threading.Thread(target=lets_go)
    waits.start()
    with pytest.raises(Stopped):
        enters()
    waits.join()
    gate.opened.set()
    assert gate.left.wait(timeout=30)
    assert gate.inside == 0


def test_why_a_context_cannot_be_entered_is_said() -> None:
    class Broken(Gate):
        def __enter__(self) -> None:
            raise OSError("no such lock")

    def enters() -> None:
        with Stop().waiting(Broken()):
            raise AssertionError("it cannot be entered")

    with pytest.raises(OSError, match="no such lock"):
        enters()
