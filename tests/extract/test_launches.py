from __future__ import annotations

import ast

import pytest

from extract.launches import read_facts, references
from extract.names import dotted


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a if c else b", {"a", "b"}),
        ("wrap_triton(k)", {"wrap_triton()", "k"}),
        ("{16: a, 32: b}.get(w)", {"a", "b", "w"}),
        ("TABLE[key]", {"TABLE"}),
        ("module.kernel", {"module.kernel"}),
        ("functools.partial(k, 1)", {"functools.partial()", "k"}),
    ],
)
def test_references_of_an_expression(text: str, found: set[str]) -> None:
    assert set(references(ast.parse(text, mode="eval").body)) == found


def test_dotted_is_empty_for_what_is_no_chain_of_names() -> None:
    assert dotted(ast.parse("f().x", mode="eval").body) == ""


def test_decorators_are_kept_as_they_are_written() -> None:
    source = b"""
import triton
@triton.autotune(
    configs=[], key=["N"]
)
@triton.jit(do_not_specialize=["n"])
def kernel(x, n): ...
"""
    (kernel,) = read_facts(source, path="vllm/a.py", module="vllm.a").kernels
    assert kernel.decorators == (
        'triton.autotune(\n    configs=[], key=["N"]\n)',
        'triton.jit(do_not_specialize=["n"])',
    )
    assert (kernel.line, kernel.end_line) == (7, 7)
