"""A CUDA file falls into the pieces that stand at namespace level; what cannot be told apart is said."""

import pytest

from reintegrate.kinds.cuda.pieces import Piece, UnreadableError, reached, read_pieces

FILE = """\
#include <cmath>  // — why
#define BOTH(x) \\
  two(x)

namespace a {
// A doc comment.
template <typename T, int N = (1 > 0)>
__global__ void __launch_bounds__(256) first(T* out) {
  if (out) { out[0] = '{'; }  // {
}
struct Pair { int one; int run() { return one; } };
using Short = Pair;
constexpr int WIDTH = 8;
const int table[] = {1, 2};
enum class Mode { kOne };
void declared(int n);
namespace {
int hidden() { return 1; }
}
}  // namespace a

#ifdef USE_ROCM
#define LANES 64
#else
#define LANES 32
__device__ int lanes() { return LANES; }
#endif

extern "C" { void plain() {} }
REGISTER(a, CUDA) { plain(); }
void Pair::out() {}
using namespace a;
static_assert(sizeof(int) == 4);
void second() { BOTH(first<int><<<1, 1>>>("hidden")); }
"""


def pieces() -> list[Piece]:
    return read_pieces(FILE)


def test_each_piece_has_its_names_kind_and_namespaces() -> None:
    found = [(sorted(one.names), one.kind, one.scope) for one in pieces()]
    inside = ("namespace a",)
    assert found == [
        ([], "include", ()),
        (["BOTH"], "macro", ()),
        (["first"], "definition", inside),
        (["Pair"], "definition", inside),
        (["Short"], "definition", inside),
        (["WIDTH"], "definition", inside),
        (["table"], "definition", inside),
        (["Mode"], "definition", inside),
        (["declared"], "definition", inside),
        (["hidden"], "definition", (*inside, "namespace")),
        (["LANES", "lanes"], "definition", ()),
        (["plain"], "definition", ('extern "C"',)),
        ([], "other", ()),
        ([], "other", ()),
        ([], "other", ()),
        ([], "other", ()),
        (["second"], "definition", ()),
    ]


def test_a_piece_is_whole_lines_with_the_comment_above_and_is_told_apart_without_comments() -> None:
    first = next(one for one in pieces() if "first" in one.names)
    assert first.text.startswith("// A doc comment.\ntemplate")
    assert first.text.endswith("}\n")
    assert FILE[first.begin : first.end] == first.text
    assert "comment" not in first.said
    assert "'{'" in first.said
    again = read_pieces(FILE.replace("// A doc comment.", "// Another."))
    assert [one.key for one in again] == [one.key for one in pieces()]


def test_what_is_reached_goes_through_macros_and_leaves_strings_alone() -> None:
    every = pieces()
    names = {name for one in reached(every, every[-1]) for name in one.names}
    assert names == {"BOTH", "first", "second"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("void f() {}\n}\n", "a brace is closed that was never opened"),
        ("namespace a {\nvoid f() {}\n", "namespace a is never closed"),
        ("#ifdef X\nnamespace a {\n#endif\n", "an #if holds one end of a namespace only"),
        ("#ifdef X\n", "an #if is never closed"),
        ("void f() {\n", "the braces behind 'void f()' are never closed"),
    ],
)
def test_what_cannot_be_told_apart_is_said(text: str, why: str) -> None:
    with pytest.raises(UnreadableError) as refused:
        read_pieces(text)
    assert str(refused.value) == why
