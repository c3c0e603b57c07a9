"""The turns that a measuring worker's questions take: no GPU is needed to see who waits for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kmaint.evaluate.bench.running import MEASURED, Measuring
from kmaint.evaluate.workers.turns import Turns, taken_at
from kmaint.stop import Stop, Stopped

SOON_S = 30.0


@pytest.fixture
def turns(tmp_path: Path) -> Turns:
    return Turns(taken_at(tmp_path / "gpu")[0], patience_s=0.0)


def beginning(turn: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=turn, daemon=True)
    thread.start()
    return thread


def test_between_two_questions_that_share_whoever_waits_to_be_alone_has_the_gpu(turns: Turns) -> None:
    seen: list[str] = []
    waits = threading.Event()

    def be_alone() -> None:
        waits.set()
        with turns.alone():
            seen.append("alone")

    with Measuring(turns, lambda asked: {"got": asked["ask"]}, Stop()) as measuring:
        assert measuring({"ask": "seed"}) == {"got": "seed"}
        other = beginning(be_alone)
        assert waits.wait(SOON_S)
        other.join(0.3)
        assert other.is_alive() and not seen, "it would have measured beside what shares the GPU"
        for _ in range(100):  # it may not have come to the door yet
            measuring({"ask": "turn"})
            other.join(0.1)
            if not other.is_alive():
                break
        assert seen == ["alone"]


@pytest.mark.parametrize("asked", MEASURED)
def test_nobody_comes_in_between_two_questions_that_measure(turns: Turns, asked: str) -> None:
    done = threading.Event()

    def share() -> None:
        with turns.shared():
            done.set()

    with Measuring(turns, lambda _: {}, Stop()) as measuring:
        measuring({"ask": asked})
        beginning(share)
        assert not done.wait(0.3)
        measuring({"ask": asked})
        assert not done.wait(0.3)
    assert done.wait(SOON_S), "and all is let go of in the end"


def test_who_is_let_go_of_waits_for_no_turn_and_keeps_none(turns: Turns) -> None:
    stop, stopped = Stop(), threading.Event()

    def measures() -> None:
        with pytest.raises(Stopped), Measuring(turns, lambda _: {}, stop) as measuring:
            measuring({"ask": "blocks"})
        stopped.set()

    with turns.shared():
        other = beginning(measures)
        other.join(0.3)
        assert other.is_alive(), "somebody else has the GPU"
        stop.let_go()
        assert stopped.wait(SOON_S)
    with turns.alone():  # what waited for it in vain lets go of it at once
        pass


def test_a_turn_that_is_had_is_kept_until_it_is_left(turns: Turns) -> None:
    stop, shared = Stop(), threading.Event()

    def share() -> None:
        with turns.shared():
            shared.set()

    with Measuring(turns, lambda _: {}, stop) as measuring:
        measuring({"ask": "blocks"})
        stop.let_go()
        other = beginning(share)
        assert not shared.wait(0.3)
    assert shared.wait(SOON_S)
    other.join()
