from __future__ import annotations

import pytest

from extract.cuda.text import closing, cuda_side, definitions, included, reaching, without_comments

KERNELS = """
#define LAUNCH(width) \\
  copy_kernel<width><<<1, 1>>>(out);
template <int W, std::enable_if_t<(W > 0), int> = 0>
__global__ void __launch_bounds__(256) copy_kernel(int* out) { out[0] = W; }
namespace vllm {
struct __align__(16) Op { static constexpr auto kernel = copy_kernel<1>; static void run() { kernel; } };
}
template <int W> using Chosen = pick<W, vllm::Op>;
void launch(int* out) { LAUNCH(4) }
void outer(int* out) { /* other_kernel */ launch(out); }
void apart() { const int table[] = {1, 2}; log("copy_kernel {"); }
"""


def test_comments_are_blanked_and_strings_and_lines_stay() -> None:
    text = 'a = "// kept"; // gone\n/* gone\n */ b'
    assert without_comments(text) == 'a = "// kept";        \n       \n    b'


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("#ifdef USE_ROCM\na\n#else\nb\n#endif\nc\n", "bc"),
        ("#ifndef USE_ROCM\na\n#else\nb\n#endif\nc\n", "ac"),
        ("#if !defined(USE_ROCM)\na\n#endif\n", "a"),
        ("#if defined(USE_ROCM)\na\n#elif X\nb\n#endif\n", "b"),
        ("#if CUDA_VERSION > 12\na\n#else\nb\n#endif\n", "ab"),
        ("#ifdef USE_ROCM\n#ifdef X\na\n#endif\nb\n#endif\nc\n", "c"),
        ("#endif\na\n#else\nb", "ab"),
    ],
)
def test_only_what_another_platform_reads_is_blanked(text: str, kept: str) -> None:
    left = "".join(line for line in cuda_side(text).split() if len(line) == 1 and line.islower())
    assert left == kept
    assert cuda_side(text).count("\n") == text.count("\n")


def test_includes_are_those_of_the_cuda_compiler() -> None:
    text = '#include <a.h>\n  # include "b.h"  // "c.h"\n// #include "d.h"\n#ifdef USE_ROCM\n#include "e.h"\n#endif\n'
    assert list(included(text)) == [("a.h", False), ("b.h", True)]


def test_definitions_name_macros_functions_classes_and_aliases_but_no_initialiser() -> None:
    found = definitions(KERNELS)
    assert [one.name for one in found] == ["LAUNCH", "copy_kernel", "Op", "Chosen", "launch", "outer", "apart"]


def test_who_reaches_a_kernel_goes_through_macros_and_not_through_comments_or_strings() -> None:
    found = definitions(KERNELS)
    assert reaching(found, "copy_kernel") == {"LAUNCH", "Op", "Chosen", "launch", "outer"}
    assert reaching(found, "other_kernel") == set()


def test_an_open_bracket_ends_with_the_text() -> None:
    assert closing("{ { }", 0) == 5
    assert [one.name for one in definitions("void f() { if (")] == ["f"]
