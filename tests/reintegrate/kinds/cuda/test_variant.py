"""What a winner changes stands under names of its own, with all that leads there, and nothing else."""

from dataclasses import replace

import pytest

from reintegrate.kinds.cuda.operator import Operator
from reintegrate.kinds.cuda.pieces import read_pieces
from reintegrate.kinds.cuda.variant import CudaVariant, Naming, Sides, cuda_variant, renamed
from reintegrate.kinds.win import Declined

SHIPPED = """\
#include <cmath>

#define LAUNCH(n) vllm::kernel<<<1, n>>>()

namespace vllm {
__device__ int leaf() { return 1; }
__device__ int pick(int one) { return one; }
__device__ int pick(float one) { return leaf(); }
__global__ void kernel() { pick(1); }
}  // namespace vllm

void op(int n) {
  LAUNCH(n);
}

void other(int n) {
  LAUNCH(n);
}
"""
BEHIND = ("void other", "void after() {}\n\nvoid other")
INSIDE = ("int pick(int one) { return one; }", "int pick(int one) { return one + 0; }")


def variant(
    *edits: tuple[str, str], shipped: str = SHIPPED, elsewhere: frozenset[str] = frozenset()
) -> CudaVariant | Declined:
    winner = shipped
    for before, after in edits:
        assert before in winner
        winner = winner.replace(before, after)
    sides = Sides(read_pieces(shipped), read_pieces(winner))
    home = next(piece for piece in sides.before if "op" in piece.names)
    operator = Operator(
        piece=home, symbol="op", member="", returns="void", template=(), parameters=(), arguments={}, body=0
    )
    return cuda_variant(sides, operator, Naming(suffix="sm90", columns=80, elsewhere=elsewhere))


def test_overloads_go_together_and_what_leads_to_them_is_copied() -> None:
    found = variant(INSIDE)
    assert isinstance(found, CudaVariant)
    assert found.names == ("LAUNCH_sm90", "pick_sm90", "kernel_sm90", "op_sm90")
    assert found.source == (
        "#define LAUNCH_sm90(n) vllm::kernel_sm90<<<1, n>>>()\n"
        "\n"
        "namespace vllm {\n"
        "\n"
        "__device__ int pick_sm90(int one) { return one + 0; }\n"
        "\n"
        "__device__ int pick_sm90(float one) { return leaf(); }\n"
        "\n"
        "__global__ void kernel_sm90() { pick_sm90(1); }\n"
        "\n"
        "}  // namespace vllm\n"
        "\n"
        "static void op_sm90(int n) {\n"
        "  LAUNCH_sm90(n);\n"
        "}\n"
    )


def test_an_added_include_keeps_its_place() -> None:
    found = variant(INSIDE, ("#include <cmath>\n", "#include <cmath>\n#include <cstdint>\n"))
    assert isinstance(found, CudaVariant)
    assert [(piece.said if piece else "", line) for piece, line in found.includes] == [
        ("#include <cmath>", "#include <cstdint>\n")
    ]


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        ([("void other(int n) {\n", "void other(int n) {\n  n = 1;\n")], "nothing that it changes is reached from op"),
        ([INSIDE, ("void op", "void op();\n\nvoid op")], "the winner defines op 2 times"),
        (
            [INSIDE, ("  // namespace vllm\n", "\n#undef LAUNCH\n")],
            "it changes '#undef LAUNCH', which is no definition",
        ),
        ([INSIDE, ("vllm::kernel<<<", "vllm::ker##nel<<<")], "LAUNCH puts names together by ##"),
        (
            [("LAUNCH(n);\n}\n\nvoid other", "LAUNCH(n), after();\n}\n\nvoid after() {}\n\nvoid other")],
            "after stands behind",
        ),
    ],
)
def test_what_cannot_stand_above_the_operator_is_declined(edits: list[tuple[str, str]], why: str) -> None:
    found = variant(*edits)
    assert isinstance(found, Declined)
    assert found.reason.startswith(why)


def test_a_macro_that_changes_within_the_file_is_declined() -> None:
    twice = SHIPPED.replace("void other", "#undef LAUNCH\nvoid other")
    assert variant(INSIDE, shipped=twice) == Declined("the macro LAUNCH is not the same all through the file")


def test_names_put_together_by_a_macro_are_declined() -> None:
    pasting = SHIPPED.replace("#define LAUNCH(n) vllm::kernel<<<1, n>>>()", "#define LAUNCH(n) a##n, vllm::kernel()")
    assert variant(INSIDE, shipped=pasting) == Declined("LAUNCH puts names together by ##")


def test_a_name_that_a_header_defines_is_declined() -> None:
    assert variant(INSIDE, elsewhere=frozenset({"pick"})) == Declined("pick is defined in a header as well")


def test_an_operator_that_is_static_or_has_no_other_linkage_stays_as_it_is() -> None:
    inside = SHIPPED.replace("void op(", "static void op(")
    found = variant(INSIDE, shipped=inside)
    assert isinstance(found, CudaVariant)
    assert "\nstatic void op_sm90(" in found.source


def test_strings_comments_and_other_namespaces_keep_their_names() -> None:
    text = 'run(); a::run(); std::run(); ::run(); f<run>(); g("run");  // run\n'
    assert renamed(text, {"run": "run_sm90"}, {"a"}) == (
        'run_sm90(); a::run_sm90(); std::run(); ::run_sm90(); f<run_sm90>(); g("run");  // run\n'
    )


def test_pieces_that_do_not_differ_in_words_are_the_same() -> None:
    before = read_pieces(SHIPPED)
    assert Sides(before, read_pieces(SHIPPED.replace("return 1;", "return  1; /* one */"))).changed() == []
    moved = [replace(piece, scope=("namespace b",)) for piece in before]
    assert len(Sides(before, moved).changed()) == len(before)
