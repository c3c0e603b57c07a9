"""Played rungs, climbed one by one and side by side: what they say must be the same, whoever ends first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.errors import HarnessError, InternalError, KmaintError, MissingError
from kmaint.evaluate import Bench
from kmaint.evaluate.bench import environment_of
from kmaint.evaluate.climbing import TO_SPARE, Climb, Group, Step, climbed, one_by_one
from kmaint.forking.programs import Program
from kmaint.records.evaluation import Candidate, Code, Plan, Rejection, RungName, Wrong, wall_s
from kmaint.records.harness import Harness
from kmaint.stop import Stopped

NAMES: tuple[RungName, ...] = ("integrity", "interpreter", "device", "numerics", "time")
PLAN = Plan(bottleneck="unknown", edit="by hand", why="a test")
RAISED = {"harness": HarnessError, "internal": InternalError, "missing": MissingError}
LEARNT: Code = "reference_read"


def begun(
    harness: Harness, bench: Bench, *, threads: int, progress: Callable[[str], None] = lambda _text: None
) -> Climb:
    """A climb of nothing, on a bench that knows of nothing yet."""
    own = replace(bench, threads=threads, known={}, progress=progress)
    candidate = Candidate(id="c", source="", parent=None, plan=PLAN, provider="test")
    return Climb(harness, candidate, own, Path("none"), Path("none/candidate.py"))


def group_of(*steps: Step) -> Group:
    return tuple(zip(NAMES, steps, strict=False))


def step(what: str, *, after_s: float = 0.0) -> Step:
    """One that passes, or refuses, or raises one of our errors."""

    def climb(_climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
        time.sleep(after_s)
        if what in RAISED:
            raise RAISED[what](what, "a test")
        return (Wrong(reason="a test", codes=("mismatch",)) if what == "refuses" else None), what

    return climb


def noted(climb: Climb) -> list[tuple[str, bool, str]]:
    return [(rung.name, rung.passed, rung.detail) for rung in climb.rungs]


def left(climb: Climb, groups: Sequence[Group]) -> tuple[object, list[tuple[str, bool, str]]]:
    """How a climb ends, and what is noted of it."""
    try:
        return climbed(climb, groups), noted(climb)
    except KmaintError as error:
        return (type(error), str(error)), noted(climb)


@given(st.lists(st.sampled_from(["passes", "passes", "refuses", *RAISED]), min_size=1, max_size=5))
def test_who_ends_first_has_no_say(harness: Harness, bench: Bench, whats: list[str]) -> None:
    last_first = [step(what, after_s=0.002 * (len(whats) - place)) for place, what in enumerate(whats)]
    rest = one_by_one(("profile", step("refuses")))
    narrow = left(begun(harness, bench, threads=TO_SPARE - 1), [group_of(*last_first), *rest])
    wide = left(begun(harness, bench, threads=TO_SPARE), [group_of(*last_first), *rest])
    assert wide == narrow
    assert len(narrow[1]) <= len(whats) or set(whats) == {"passes"}


@pytest.mark.parametrize("threads", [TO_SPARE - 1, TO_SPARE])
def test_a_group_is_begun_at_once_where_there_are_processors_for_it(
    harness: Harness, bench: Bench, threads: int
) -> None:
    meeting, told = threading.Barrier(2), list[str]()

    def meets(_climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
        try:
            meeting.wait(timeout=0.5 if threads < TO_SPARE else 30.0)
        except threading.BrokenBarrierError:
            meeting.reset()
            return None, "alone"
        return None, "met"

    climb = begun(harness, bench, threads=threads, progress=told.append)
    assert climbed(climb, [group_of(meets, meets)]) is None
    at_once = threads >= TO_SPARE
    assert [rung.detail for rung in climb.rungs] == ["met" if at_once else "alone"] * 2
    assert told == (["integrity, interpreter"] if at_once else ["integrity", "interpreter"])


def test_groups_are_climbed_one_after_the_other(harness: Harness, bench: Bench) -> None:
    ended = list[str]()

    def notes(what: str, after_s: float) -> Step:
        def climb(_climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
            time.sleep(after_s)
            ended.append(what)
            return None, ""

        return climb

    first, last = group_of(notes("a", 0.2), notes("b", 0.0)), one_by_one(("time", notes("c", 0.0)))
    assert climbed(begun(harness, bench, threads=TO_SPARE), [first, *last]) is None
    assert ended == ["b", "a", "c"]


def test_each_rung_has_its_own_seconds_and_those_side_by_side_count_once(harness: Harness, bench: Bench) -> None:
    climb = begun(harness, bench, threads=TO_SPARE)
    abreast = group_of(step("passes", after_s=0.6), step("passes"), step("passes", after_s=0.3))
    climbed(climb, [*one_by_one(("lint", step("passes", after_s=0.1))), abreast])
    alone, slow, fast, middle = [rung.seconds for rung in climb.rungs]
    assert fast < middle < slow
    assert middle >= 0.3 and slow >= 0.6
    assert wall_s(climb.rungs) == pytest.approx(alone + slow)
    assert wall_s(climb.rungs, ("lint", "device")) == pytest.approx(alone + middle)
    assert wall_s(climb.rungs, NAMES[2:3]) == pytest.approx(middle)


def test_those_of_a_group_share_the_processors(harness: Harness, bench: Bench) -> None:
    threads = list[int]()

    def counts(_climb: Climb, share: Bench) -> tuple[Rejection | None, str]:
        threads.append(share.threads)
        return None, ""

    climb = begun(harness, bench, threads=9)
    climbed(climb, [*one_by_one(("lint", counts)), group_of(counts, counts), *one_by_one(("time", counts))])
    assert threads == [9, 4, 4, 9]


class Learning:
    """A group whose first rung learns that the original does something as well, once the others have asked too much."""

    def __init__(self, others: Step, *, refuses: bool = False) -> None:
        self._others, self._refuses = others, refuses
        self._asked, self.climbed = threading.Semaphore(0), list[str]()

    def first(self, climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
        self.climbed.append("first")
        for _ in range(2):
            assert self._asked.acquire(timeout=30)
        climb.bench.exempt(climb.harness).add(LEARNT)
        return (Wrong(reason="a test", codes=("mismatch",)) if self._refuses else None), ""

    def other(self, climb: Climb, bench: Bench) -> tuple[Rejection | None, str]:
        self.climbed.append("other")
        try:
            return self._others(climb, bench)
        finally:
            self._asked.release()

    @property
    def group(self) -> Group:
        return group_of(self.first, self.other, self.other)


def strict(climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
    known = LEARNT in climb.bench.exempt(climb.harness)
    return (None if known else Wrong(reason="a test", codes=(LEARNT,))), "passed"


def faulty(climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
    if LEARNT not in climb.bench.exempt(climb.harness):
        raise HarnessError("the original fails", "a test")
    return None, "passed"


def lax(climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
    return None, "passed" if LEARNT in climb.bench.exempt(climb.harness) else "not judged"


@pytest.mark.parametrize("others", [strict, faulty, lax])
def test_what_the_first_learns_of_the_original_holds_for_the_others(
    harness: Harness, bench: Bench, others: Step
) -> None:
    learning, climb = Learning(others), begun(harness, bench, threads=TO_SPARE)
    assert climbed(climb, [learning.group]) is None
    assert noted(climb) == [("integrity", True, ""), ("interpreter", True, "passed"), ("device", True, "passed")]
    assert learning.climbed.count("first") == 1
    assert learning.climbed.count("other") == 4


def test_what_asks_nothing_of_the_original_is_not_climbed_again(harness: Harness, bench: Bench) -> None:
    learning, climb, timed = Learning(strict), begun(harness, bench, threads=TO_SPARE), list[str]()

    def times(_climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
        timed.append("once")
        return None, "timed"

    assert climbed(climb, [(*learning.group, ("time", times))]) is None
    assert [(rung.name, rung.detail) for rung in climb.rungs][1:] == [
        *(("interpreter", "passed"), ("device", "passed"), ("time", "timed")),
    ]
    assert timed == ["once"]
    assert learning.climbed.count("other") == 4


def test_nothing_is_climbed_again_behind_a_refusal(harness: Harness, bench: Bench) -> None:
    learning, climb = Learning(strict, refuses=True), begun(harness, bench, threads=TO_SPARE)
    rejection = climbed(climb, [learning.group])
    assert rejection is not None and rejection.codes == ("mismatch",)
    assert [(rung.name, rung.passed) for rung in climb.rungs] == [("integrity", False)]
    assert learning.climbed.count("other") == 2


HANGS = """
import pathlib, sys, time
pathlib.Path(sys.argv[1]).touch()
time.sleep(600)
"""
"""Nobody waits for its end: a test that does is cut off."""


class Hanging:
    """A rung that runs a program without an end, on the bench that it is given, once for each name."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.stopped = folder, threading.Semaphore(0)
        self._program = folder / "hangs.py"
        self._program.write_text(HANGS)

    def began(self, name: str) -> Path:
        return self._folder / name

    def __call__(self, name: str, harness: Path | None) -> Step:
        def climb(_climb: Climb, bench: Bench) -> tuple[Rejection | None, str]:
            argv = [self._program, self.began(name)]
            asked = Program(argv=argv, env=environment_of(harness, self._folder, gpu=False), cwd=self._folder)
            try:
                bench.run(harness, asked, timeout_s=500)
            except Stopped:
                self.stopped.release()
                raise
            return None, "ended"

        return climb

    def refuses_once(self, *names: str) -> Step:
        """Refuses when these have begun."""

        def climb(_climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
            while not all(self.began(name).exists() for name in names):
                time.sleep(0.02)
            return Wrong(reason="a test", codes=("mismatch",)), ""

        return climb


@pytest.mark.parametrize("warm", [False, True])
def test_a_refusal_ends_what_was_begun_behind_it(harness: Harness, bench: Bench, tmp_path: Path, warm: bool) -> None:
    hanging, folder = Hanging(tmp_path), harness.folder.resolve() if warm else None
    climb = begun(harness, bench, threads=TO_SPARE)
    behind = [hanging(name, folder) for name in "ab"]
    group = group_of(step("passes", after_s=0.1), hanging.refuses_once("a", "b"), *behind)
    rejection = climbed(climb, [group])
    assert rejection is not None and rejection.reason == "a test"
    assert [(rung.name, rung.passed) for rung in climb.rungs] == [("integrity", True), ("interpreter", False)]
    assert all(hanging.stopped.acquire(timeout=0) for _ in "ab")


def test_a_refusal_ends_nothing_before_it(harness: Harness, bench: Bench, tmp_path: Path) -> None:
    """Who refuses first in order has the word, so that it is waited for."""
    hanging, climb = Hanging(tmp_path), begun(harness, bench, threads=TO_SPARE)
    refused = threading.Event()

    def slow(_climb: Climb, share: Bench) -> tuple[Rejection | None, str]:
        assert refused.wait(timeout=30)
        time.sleep(0.2)
        share.stop.check()
        return Wrong(reason="first", codes=("mismatch",)), ""

    def quick(_climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
        refused.set()
        return Wrong(reason="second", codes=("mismatch",)), ""

    rejection = climbed(climb, [group_of(step("passes"), slow, quick, hanging("a", None))])
    assert rejection is not None and rejection.reason == "first"
    assert hanging.stopped.acquire(timeout=0)


def test_what_was_let_go_of_is_climbed_again_where_the_refusal_does_not_stand(harness: Harness, bench: Bench) -> None:
    """Another candidate's first rung may learn of the original when a refusal has already let go of what is behind."""
    climb, timed, stood = begun(harness, bench, threads=TO_SPARE), list[str](), threading.Event()

    def times(_climb: Climb, share: Bench) -> tuple[Rejection | None, str]:
        timed.append("asked")
        if len(timed) == 1:
            while True:
                try:
                    share.stop.check()
                except Stopped:
                    stood.set()
                    climb.bench.exempt(climb.harness).add(LEARNT)
                    raise
                time.sleep(0.01)
        return None, "timed"

    group = (*group_of(step("passes"), strict), ("time", times))
    assert climbed(climb, [group]) is None
    assert stood.is_set()
    assert [rung.detail for rung in climb.rungs] == ["passes", "passed", "timed"]


def test_a_group_of_which_nothing_is_to_be_climbed_again(harness: Harness, bench: Bench) -> None:
    climb = begun(harness, bench, threads=TO_SPARE)

    def learns(_climb: Climb, share: Bench) -> tuple[Rejection | None, str]:
        share.exempt(climb.harness).add(LEARNT)
        return None, ""

    assert climbed(climb, [(("integrity", learns), ("time", step("passes")))]) is None
    assert [rung.name for rung in climb.rungs] == ["integrity", "time"]


def test_where_nothing_more_can_be_learnt_a_refusal_stands_at_once(harness: Harness, bench: Bench) -> None:
    """The others are climbed again: the first of those has nothing to say about the original."""
    climb, stopped = begun(harness, bench, threads=TO_SPARE), threading.Event()
    waited, ended = list[str](), list[str]()

    def learns(_climb: Climb, share: Bench) -> tuple[Rejection | None, str]:
        share.exempt(climb.harness).add(LEARNT)
        return None, ""

    def waits(_climb: Climb, share: Bench) -> tuple[Rejection | None, str]:
        waited.append("once")
        if len(waited) > 1:
            assert stopped.wait(timeout=30), "the one behind the refusal was not let go of"
        return None, ""

    def refuses(_climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
        return Wrong(reason="a test", codes=("mismatch",)), ""

    def last(_climb: Climb, share: Bench) -> tuple[Rejection | None, str]:
        ended.append("once")
        while len(ended) > 1:
            try:
                share.stop.check()
            except Stopped:
                stopped.set()
                raise
            time.sleep(0.01)
        return None, ""

    rejection = climbed(climb, [group_of(learns, waits, refuses, last)])
    assert rejection is not None and rejection.reason == "a test"
