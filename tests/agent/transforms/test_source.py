"""Edits leave everything else as it was, stay inside the regions, and come out formatted."""

from __future__ import annotations

import ast

import pytest

from kmaint.agent.transforms.base import NotApplicable
from kmaint.agent.transforms.formatting import format_changed
from kmaint.agent.transforms.source import edited
from kmaint.spans import Source

TEXT = """\
import torch


# region a.py:1-9 launch
def launch(x, y):  # "é" counts two bytes: (
    z = [1,2]  # left as it is
    run(
        x,
        y,  # the last one
    )
    run(x, **options)
# endregion
"""


def call(source: Source, number: int) -> ast.Call:
    function = source.functions["launch"]
    statement = function.body[number]
    assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    return statement.value


def test_an_argument_gets_a_line_of_its_own_where_the_others_have_one() -> None:
    source = Source(TEXT)
    result = edited(source, [source.add_argument(call(source, 1), "z=1")], "note")
    expected = "        y,  # the last one\n        z=1,\n"
    assert result.source == TEXT.replace("        y,  # the last one\n", expected)
    assert result.anchor == (10, 10)


def test_an_argument_goes_in_front_of_unpacked_options() -> None:
    source = Source(TEXT)
    result = edited(source, [source.add_argument(call(source, 2), "z=1")], "note")
    assert result.source == TEXT.replace("run(x, **options)", "run(x, z=1, **options)")


def test_a_parameter_is_added_past_a_comment_with_a_bracket() -> None:
    source = Source(TEXT)
    result = edited(source, [source.add_parameter(source.functions["launch"], "z=None")], "note")
    assert result.source == TEXT.replace("def launch(x, y):", "def launch(x, y, z=None):")


def test_an_edit_outside_the_regions_is_refused() -> None:
    source = Source(TEXT)
    with pytest.raises(NotApplicable) as error:
        edited(source, [source.before(source.tree.body[0], ["import math"])], "note")
    assert str(error.value) == "the edit falls outside the regions, which is all a patch may change"


def test_edits_of_the_same_characters_are_refused() -> None:
    source = Source(TEXT)
    whole = call(source, 1)
    with pytest.raises(NotApplicable) as error:
        edited(source, [source.replace(whole, "a()"), source.replace(whole.args[0], "b")], "note")
    assert str(error.value) == "two of the edits would change the same characters"


def test_only_changed_statements_are_formatted() -> None:
    before = "x = [1,2]\ny = f(1)\nz = {1:2}\n"
    after = before.replace("f(1)", f"f({', '.join(['long_argument'] * 7)})")
    lines = "".join("    long_argument,\n" for _ in range(7))
    assert format_changed(before, after) == f"x = [1,2]\ny = f(\n{lines})\nz = {{1:2}}\n"
