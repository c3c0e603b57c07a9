from __future__ import annotations

import pytest

from kmaint.cpp.heads import kind_of, read_head, without_template


@pytest.mark.parametrize(
    ("text", "scope", "name", "mark"),
    [
        ("void f(int a) {", "", "f", "{"),
        ("static inline std::vector<at::Tensor> a::b::f(const at::Tensor& t) {", "a::b", "f", "{"),
        ("template <int M, int S = (M + 1) <= 16 ? 6 : 3> void f() {", "", "f", "{"),
        ("template <std::size_t... I> static auto f(seq<I...>) {", "", "f", "{"),
        ("Box(int a) : a_(a), b_(a) { }", "", "Box", ""),
        ("~Box() {", "", "~Box", "{"),
        ("void f(int a);", "", "f", ";"),
        ("MACRO(x)\nvoid f(int a) {", "", "f", "{"),
        ("PYBIND11_MODULE(name, m) {", "", "PYBIND11_MODULE", "{"),
        ("void f(int a", "", None, ""),
        ("int (*pointer)(int);", "", None, ";"),
    ],
)
def test_the_declared_name_is_told_from_what_stands_around_it(
    text: str, scope: str, name: str | None, mark: str
) -> None:
    head, ending = read_head(text, 0, len(text))
    assert (head.name if head else None, head.scope if head else "", ending.mark) == (name, scope, mark)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("namespace a::b ", "namespace", "a::b"),
        ("inline namespace ", "namespace", ""),
        ("extern     ", "namespace", ""),
        ("template <class T> struct alignas(16) Box final : Base<(1 > 2)> ", "class", "Box"),
        ("template <class T> struct Has<T, std::void_t<decltype(T::x)>> : std::true_type ", "class", "Has"),
        ("struct Box f(int a) ", "function", ""),
        ("enum class E : int ", "other", ""),
        ("int table[] = ", "other", ""),
    ],
)
def test_what_a_brace_opens_is_told_by_its_head(text: str, kind: str, name: str) -> None:
    assert kind_of(text) == (kind, name)


def test_parameters_of_a_template_are_no_part_of_a_head() -> None:
    assert without_template("template <int N = (3 > 2), class T = A<B<1>>>\ntemplate <> auto x").strip() == "auto x"
