"""Which lines a judge's words close."""

from __future__ import annotations

from kmaint import wire
from kmaint.agent.proposal import Ruling
from kmaint.agent.rulings import closed, given
from tests.agent.conftest import Judged

judged = Judged()
FIRST = judged.passed("first")
SECOND = judged.passed("second", parent=FIRST.candidate.id)
BESIDE = judged.passed("beside", parent=FIRST.candidate.id)
HISTORY = [FIRST, SECOND, BESIDE]


def ruled(decision: str) -> dict[str, Ruling]:
    return given([{SECOND.candidate.id: {"decision": decision, "reason": "at the roofline"}}])


def test_to_leave_closes_the_candidate_and_what_it_was_made_from_and_nothing_beside_it() -> None:
    assert closed(ruled("leave"), HISTORY) == {FIRST.candidate.id, SECOND.candidate.id}


def test_other_words_close_nothing() -> None:
    assert closed(ruled("keep"), HISTORY) == closed(ruled("refine"), HISTORY) == set()


def test_rulings_are_read_back_and_the_last_word_holds() -> None:
    first, last = ruled("leave"), ruled("keep")
    assert given([wire.dump(first), wire.dump(last)]) == last
