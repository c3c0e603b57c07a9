"""Optional pieces of a text go whole, the last first, and a fence is longer than any in what it holds."""

from hypothesis import given
from hypothesis import strategies as st

from reports.blocks import Block, fenced, fitted


def test_folded_blocks_go_whole_and_the_last_first() -> None:
    blocks = [Block("head"), Block("a" * 400, "first"), Block("middle"), Block("b" * 400, "second"), Block("end")]
    whole = fitted(blocks, 2000)
    assert "first" in whole
    assert "second" in whole
    shorter = fitted(blocks, 700)
    assert "first" in shorter
    assert "second" not in shorter
    assert shorter.endswith("end\n\n_1 folded section left out for length: kmaint's report has all of it._\n")
    assert fitted(blocks, 10).startswith("head\n\nmiddle\n\nend\n\n_2 folded sections left out")


@given(st.text(alphabet="`\nx", max_size=60))
def test_a_fence_holds_whatever_stands_in_it(text: str) -> None:
    first, *_, last = fenced(text).splitlines()
    assert first == last
    assert first not in text
