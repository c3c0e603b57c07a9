"""Nodes are found in text that is not all ASCII, replacements leave the rest, reachability follows launches.

And outside the lines that an edit changed, both texts are alike.
"""

from __future__ import annotations

import ast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kmaint.spans import OverlapError, Replacement, Source, changed_lines, reachable, region_spans, replaced

TEXT = """\
# region a.py:1-9 launch
def launch(x):
    é = (x + 1)  # "é" counts two bytes
    return kernel[(1,)](helper(é), torch.empty(2))
# endregion

def helper(x): return x
def kernel(x): pass
def other(x): return launch(x)
"""


def test_a_span_is_of_characters_and_leaves_out_brackets() -> None:
    source = Source(TEXT)
    statement = source.functions["launch"].body[0]
    assert isinstance(statement, ast.Assign)
    assert source.of(statement) == "é = (x + 1)"
    assert replaced(TEXT, [source.replace(statement.value, "x")]) == TEXT.replace("x + 1", "x")


def test_replacements_are_made_in_any_order_and_once() -> None:
    edits = [Replacement(4, 5, "E"), Replacement(0, 1, "A"), Replacement(4, 5, "E")]
    assert replaced("abcde", edits) == "AbcdE"
    with pytest.raises(OverlapError):
        replaced("abcde", [Replacement(0, 2, ""), Replacement(1, 3, "")])


def test_reachable_are_called_and_launched_functions_of_the_file() -> None:
    source = Source(TEXT)
    assert {function.name for function in reachable(source, "launch")} == {"launch", "helper", "kernel"}
    assert reachable(source, "absent") == []


def test_functions_under_a_condition_of_the_module_are_its_functions() -> None:
    text = "if HAS_TRITON:\n    def f(x):\n        return x\nelse:\n    def f(): ...\n    def g(): ...\n"
    source = Source(f"{text}class A:\n    def method(self): ...\n")
    assert list(source.functions) == ["f", "g"]
    assert source.of(source.functions["f"]) == "def f(x):\n        return x"


def test_regions_leave_their_markers_out() -> None:
    start, end = region_spans(TEXT)[0]
    assert TEXT[start:end].startswith("def launch") and TEXT[start:end].endswith("torch.empty(2))\n")


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        ("a\nB\nc\nd\n", (2, 2)),
        ("A\nb\nc\nD\n", (1, 4)),
        ("a\nd\n", (2, 3)),
        ("", (1, 4)),
        ("a\nb\nx\ny\nc\nd\n", (2, 2)),
        ("a\nb\nc\nd\nx\n", (4, 4)),
        ("x\na\nb\nc\nd\n", (1, 1)),
        ("a\nb\nb\nc\nd\n", (2, 2)),
        ("a\nb\nc\nd", (4, 4)),
        ("a\nb\nc\nd\n", None),
    ],
)
def test_changed_lines_are_those_that_gave_way_or_the_one_that_new_ones_follow(
    after: str, lines: tuple[int, int] | None
) -> None:
    assert changed_lines("a\nb\nc\nd\n", after) == lines


def test_where_nothing_was_no_line_was_changed() -> None:
    assert changed_lines("", "a\n") is None


texts = st.lists(st.sampled_from(["", "x", "  x", "y  # é", "y\r"]), max_size=8).map("\n".join)


@given(before=texts, after=texts)
@example(before="x\nx", after="x\nx\nx")
def test_outside_the_changed_lines_both_texts_are_alike(before: str, after: str) -> None:
    found = changed_lines(before, after)
    if found is None:
        assert before == after or not before
        return
    first, last = found
    lines = before.splitlines(keepends=True)
    assert 1 <= first <= last <= len(lines)
    above, below = "".join(lines[: first - 1]), "".join(lines[last:])
    assert after.startswith(above)
    assert after.removeprefix(above).endswith(below)
