"""Shapes in comments and docstrings, and prose that only looks like one."""

from __future__ import annotations

import ast

from extract.deriving.launchers.told import in_comments, in_docstring

SOURCE = '''
def launch(
    x,  # [num_tokens, 2 * head_size]
    y,  # (num_tokens, hidden/2)
    z,  # [as x above, but longer]
    w,  # [1, 2]
    *,
    out=None,  # [num_tokens]
):
    """Does it.

    x: Input (num_tokens, heads)
    table (torch.Tensor): pages [num_seqs, max_pages], on the device
    x: again [other]
    eps: small (as always)
    """
'''


def function() -> ast.FunctionDef:
    (found,) = ast.parse(SOURCE).body
    assert isinstance(found, ast.FunctionDef)
    return found


def test_comments_behind_parameters() -> None:
    assert in_comments(SOURCE, function()) == {
        "x": ("num_tokens", "2 * head_size"),
        "y": ("num_tokens", "hidden//2"),
        "out": ("num_tokens",),
    }


def test_lines_of_a_docstring_the_first_of_each_name() -> None:
    assert in_docstring(function()) == {"x": ("num_tokens", "heads"), "table": ("num_seqs", "max_pages")}
