"""Nodes are found in text that is not all ASCII, replacements leave the rest, and reachability follows launches."""

from __future__ import annotations

import ast

import pytest

from kmaint.spans import OverlapError, Replacement, Source, reachable, region_spans, replaced

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
