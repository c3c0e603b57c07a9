"""Generated lines stand as clang-format would have them, as far as that takes no parser."""

from reintegrate.kinds.cuda.layout import nested, packed, realigned


def test_parts_that_fit_below_the_start_stand_there_and_others_further_to_the_left() -> None:
    parts = ["int first", "int second", "int third"]
    assert packed("void f(", parts, (", ", ") {"), 30) == ["void f(int first, int second,", "       int third) {"]
    assert packed("void a_long_name(", parts, (", ", ") {"), 29) == [
        "void a_long_name(int first,",
        "                 int second,",
        "                 int third) {",
    ]
    assert packed("void a_long_name(", parts, (", ", ") {"), 28) == [
        "void a_long_name(",
        "    int first, int second,",
        "    int third) {",
    ]


def test_what_stood_below_a_bracket_stands_below_it_again() -> None:
    before, after = "  f(1,\n    2);\n", "  f_sm90(1,\n    2);\n"
    assert realigned(before, after, 80) == "  f_sm90(1,\n         2);\n"
    assert realigned(before, after, 10) == "  f_sm90(\n      1,\n      2);\n"


def test_a_macro_keeps_its_backslashes_in_their_columns() -> None:
    before, after = "#define A(x)     \\\n  f(x)\n", "#define A_sm90(x)     \\\n  f(x)\n"
    assert realigned(before, after, 80) == "#define A_sm90(x)\\\n  f(x)\n".replace("\\", " \\")


def test_directives_move_to_the_right_with_all_their_lines() -> None:
    text = "int a;\n#define A \\\n  1\n// #if\n#pragma once\n"
    assert nested(text, "  ") == "int a;\n  #define A \\\n    1\n// #if\n  #pragma once\n"
