from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.cpp.text import blank_noise, parse_text


@pytest.mark.parametrize(
    ("text", "blanked"),
    [
        ("a // b", "a     "),
        ("a // b \\\nc\nd", "a       \n \nd"),
        ("a /* b\n */ c", "a     \n    c"),
        ("a /* b", "a     "),
        ('a "b // \\" c" d', "a             d"),
        ('R"x(" )" )x" d', "R            d"),
        ("1'000'000 + 'x' + '\\'' + 0xF'F", "1'000'000 +     +      + 0xF'F"),
        ("a / b", "a / b"),
    ],
)
def test_comments_strings_and_characters_are_blanked_in_place(text: str, blanked: str) -> None:
    assert blank_noise(text) == blanked


def test_a_macro_keeps_its_body_and_leaves_none_of_it_in_the_code() -> None:
    text = "#define A(x, y) \\\n  { x y\n#define B 1 // one\nint c;"
    source = parse_text(text)
    assert [(macro.name, macro.parameters) for macro in source.macros] == [("A", ("x", "y")), ("B", None)]
    assert text[source.macros[0].start :].startswith(source.macros[0].body)
    assert source.code.split() == ["int", "c;"]


def test_braces_pair_within_each_branch_of_a_condition() -> None:
    text = "f {\n#if A\n  if (a) {\n#elif B\n  if (b) {\n#else\n  if (c) {\n#endif\n  }\n}\ng { }"
    closing = parse_text(text).closing
    first, a, b, c, last = (offset for offset, letter in enumerate(text) if letter == "{")
    inner = text.index("}")
    assert closing == {first: text.index("}", inner + 1), a: inner, b: inner, c: inner, last: len(text) - 1}


def test_what_is_under_if_0_is_unused_up_to_its_else() -> None:
    text = "a\n#if 0\nb\n#if X\nc\n#endif\n#else\nd\n#endif\ne"
    source = parse_text(text)
    assert [
        letter for letter in "abcde" if source.is_unused(text.index(f"{letter}\n" if letter != "e" else "\ne"))
    ] == [
        "b",
        "c",
    ]


@given(st.text(alphabet="{}()\"'/*\\\n#if0elsndR x", max_size=200))
def test_offsets_and_lines_survive_any_text(text: str) -> None:
    source = parse_text(text)
    assert len(source.code) == len(text)
    assert [offset for offset, letter in enumerate(source.code) if letter == "\n"] == [
        offset for offset, letter in enumerate(text) if letter == "\n"
    ]
    assert all(source.line_of(offset) == text.count("\n", 0, offset) + 1 for offset in range(len(text)))
