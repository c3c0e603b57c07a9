"""What a terminal would obey or hide is written out, and all else is shown as it is."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from kmaint.show.attesting import visible


@given(st.text())
def test_nothing_is_left_for_a_terminal_to_obey(text: str) -> None:
    shown = visible(text)
    assert not [one for one in shown if unicodedata.category(one).startswith("C") and one not in "\n\t"]


@given(st.text(alphabet=st.characters(exclude_categories=["C"])))
def test_what_can_be_seen_is_shown_as_it_is(text: str) -> None:
    assert visible(f"\t{text}\n") == f"\t{text}\n"


def test_marks_that_turn_code_around_are_written_out() -> None:
    assert visible("if admin:\u202e\u2066# no\u2069") == "if admin:\\u202e\\u2066# no\\u2069"
    assert visible("+safe()\x1b[2K\r+evil()") == "+safe()\\x1b[2K\\r+evil()"
