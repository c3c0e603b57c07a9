from __future__ import annotations

from extract.scan.cuda_outline import read_outline
from kmaint.cpp.heads import read_head
from kmaint.cpp.text import parse_text


def functions(text: str) -> list[str]:
    """Whole names of the functions that a text defines."""
    source = parse_text(text)
    outline = read_outline(source)
    heads = [read_head(source.code, function.head, function.body)[0] for function in outline.functions]
    return [outline.qualify(head) if head else "" for head in heads]


def test_functions_are_named_with_the_scopes_around_them() -> None:
    assert functions(
        'extern "C" {\nint a() { if (x) { y(); } return 1; }\n}\n'
        "namespace n::m {\nnamespace {\nstruct S : B {\n  S() : b{1}, c(2) { }\n  void run(V v = {}) { }\n};\n}\n"
        "void S::walk() { struct T { void hidden() {} }; }\n}\nenum class E { A, B };\nvoid last() {}\n"
    ) == ["a", "n::m::S::S", "n::m::S::run", "n::m::S::walk", "last"]


def test_constants_remember_what_they_are_made_of() -> None:
    source = parse_text(
        "struct S {\n  template <int N> static constexpr auto k = f<N, true>;\n  int x;\n};\nint (*p)(int) = g;\n"
    )
    assert {name: [value.strip() for value in values] for name, values in read_outline(source).constants.items()} == {
        "k": ["f<N, true>"],
        "p": ["g"],
    }


def test_a_brace_in_a_default_argument_does_not_end_the_head() -> None:
    assert functions("void f(V v = {1, 2}, W w = W{}) { g(); }\nvoid h() {}") == ["f", "h"]
