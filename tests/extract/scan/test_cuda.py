from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.scan.cuda import CudaFacts, prefix_macros, read_cuda
from extract.scan.cuda_strings import read_cuda_strings

CASES = Path(__file__).with_name("cases")
REAL = [path.read_bytes() for path in sorted(CASES.iterdir())]

KERNELS = {
    "tiny_gemm.cuh": [
        ("sglang::tiny_n_gemm_kernel", 73, 144, "kernel"),
        ("sglang::tiny_k_gemm_kernel", 147, 181, "kernel"),
    ],
    "smallm_fp8_gemm.hip": [
        ("smallm_fp8_gemm_m##MT##_n##NT##_s##STEPS##_w##WAVES##_x##XLDS", 137, 140, "unknown"),
    ],
    "layernorm_kernels.cu": [
        ("vllm::rms_norm_kernel", 16, 101, "kernel"),
        ("vllm::fused_add_rms_norm_kernel", 108, 175, "kernel"),
        ("vllm::fused_add_rms_norm_kernel", 181, 218, "kernel"),
    ],
    "kernel.h": [("MARLIN_NAMESPACE_NAME::Marlin", 41, 41, "declaration")],
}


def read(text: str, *macros: str) -> CudaFacts:
    return read_cuda(text.encode(), "a.cu", frozenset(macros))


@pytest.mark.parametrize("name", KERNELS)
def test_real_files_list_each_kernel_where_it_stands(name: str) -> None:
    content = CASES.joinpath(name).read_bytes()
    facts = read_cuda(content, name, prefix_macros(content))
    assert [(found.qualname, found.line, found.end_line, found.role) for found in facts.kernels] == KERNELS[name]
    assert facts.language == ("hip" if name.endswith(".hip") else "cuda")


@pytest.mark.parametrize(
    "head",
    [
        "__global__ void f(int a)",
        "static __global__ void f(int a)",
        "__global__ static void f(int a)",
        'extern "C" __global__ void __launch_bounds__(256, 3) f(int a)',
        "__launch_bounds__(TPB) __global__\nvoid\nf(int a)",
        "__global__ __launch_bounds__(N / (K + 1)) __cluster_dims__(kSize, 1, 1)  // why\n    void f(int a)",
        "__global__ LAUNCH_BOUNDS(256) void f(int a)",
        "__global__ void BOUND f(int a)",
        "template <int N = (3 > 2), class T> __global__ void f(T a)",
        "template <> __global__ void f<int, (4 > 3)>(int a)",
        "template <int width>\n__global__ std::enable_if_t<(width > 0) && Convert<int>::exists>\nf(int a)",
        "__global__ typename std::enable_if<true>::type f(int a)",
        "__global__ auto f(int a) -> void",
        "__global__ void __attribute__((amdgpu_flat_work_group_size(1, 256))) f(int a)",
        "__global__ void f(Args<(1 < 2)> a = {}, int (*g)(int) = nullptr) noexcept",
        "__global__ void f(__grid_constant__ const P a /* ( */, // )\n  int b)",
        "[[maybe_unused]] __global__ void f(int a)",
    ],
)
def test_every_spelling_of_a_head_is_one_kernel(head: str) -> None:
    text = f'#include "x.h"\n{head} {{\n  if (a < 1) {{ g(); }}\n}}\n__device__ int g() {{ return 1; }}\n'
    (found,) = read(text).kernels
    mark = text.index("__global__")
    assert (found.name, found.role) == ("f", "kernel")
    assert (found.line, found.end_line) == (text.count("\n", 0, mark) + 1, text.count("\n", 0, text.index("\n}\n")) + 2)


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("__global__ void f(int a);", "declaration"),
        ("template __global__ void f<float, 4>(int a);", "declaration"),
        ("struct S { friend __global__ void f(S a); };", "declaration"),
        ("#if 0\n__global__ void f() {}\n#endif", "unknown"),
        ("#define MAKE(T) \\\n  __global__ void f(T a) { \\\n    g(a); \\\n  }", "unknown"),
        ("__global__ void f(int a)", "unknown"),
        ("#if 0\n#else\n__global__ void f() {}\n#endif", "kernel"),
    ],
)
def test_what_is_no_plain_definition_has_its_own_role(text: str, role: str) -> None:
    assert [(found.name, found.role) for found in read(text).kernels] == [("f", role)]


@pytest.mark.parametrize(
    "text",
    [
        "// __global__ void f() {}",
        "/* __global__ void f() {} */",
        'auto s = "__global__ void f() {}";',
        'auto s = R"cuda(__global__ void f() {})cuda";',
        "#define KERNEL __global__ __launch_bounds__(8)",
        "#define KERNEL __global__ LAUNCH_BOUNDS(8)",
        "#ifndef __global__\n#define __global__\n#endif",
        "__device__ void f() {}",
        "/// `__global__` kernels and the dispatcher (see topk.cuh) live elsewhere;\n",
    ],
)
def test_words_about_kernels_are_none(text: str) -> None:
    assert read(text).kernels == ()


def test_two_heads_of_one_body_are_two_kernels() -> None:
    found = read("#if A\n__global__ void f(int a)\n#else\n__global__ void f(int a, int b)\n#endif\n{\n}\n").kernels
    assert [(kernel.line, kernel.end_line, kernel.role) for kernel in found] == [(2, 7, "kernel"), (4, 7, "kernel")]


def test_a_macro_of_another_file_stands_for_the_mark_unless_the_file_defines_it_otherwise() -> None:
    use = "WIDE_KERNEL void f(int a) {}\nTHE_WIDE_KERNEL void g(int a) {}\n"
    header = (
        b"#define KERNEL(n) __global__ __launch_bounds__(n)\n#define WIDE_KERNEL \\\n  KERNEL(512) /* two */ static\n"
    )
    macros = prefix_macros(header)
    assert macros == {"KERNEL", "WIDE_KERNEL"}
    assert [(kernel.name, kernel.line) for kernel in read(use, *macros).kernels] == [("f", 1)]
    assert read("#define WIDE_KERNEL static\n" + use, *macros).kernels == ()
    assert read(use).kernels == ()


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("csrc/rocm/gemm.cu", "", "hip"),
        ("csrc/a_gfx950.cuh", "", "hip"),
        ("csrc/a.cu", "#include <hip/hip_runtime.h>\n", "hip"),
        ("csrc/a.cu", "#ifdef USE_ROCM\n#include <hip/hip_runtime.h>\n#endif\n", "cuda"),
        ("csrc/chip/a.cu", "", "cuda"),
    ],
)
def test_hip_is_told_by_path_or_by_its_headers(path: str, text: str, language: str) -> None:
    assert read_cuda(f"{text}__global__ void f() {{}}".encode(), path).language == language


BROKEN = [
    *(
        "namespace a {",
        "__global__ void f(",
        "f(){LaunchKernel(f);}\n",
        "template <",
        "a<",
        '"',
        'R"(',
        "({",
        "f(a={",
        "/*",
    ),
    "#if 1\n{\n#else\n{\n#endif\n",
    "#define A __global__ A\n",
]


@pytest.mark.parametrize("unit", BROKEN)
def test_broken_text_takes_linear_time(unit: str) -> None:
    text = (unit * (200_000 // len(unit))).encode() + b" __global__ <<<"
    started = time.process_time()
    read_cuda(text, "a.cu", prefix_macros(text))
    assert time.process_time() - started < 5  # measured: 0.6 at most; quadratic readers take minutes


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_text_is_refused(data: st.DataObject) -> None:
    real = data.draw(st.sampled_from(REAL))
    start = data.draw(st.integers(0, len(real)))
    junk = data.draw(st.binary(max_size=40) | st.sampled_from([b"{", b"}", b'"', b"*/", b"#if 0\n", b"#define x \\\n"]))
    for text in (junk, real[:start] + junk + real[start + data.draw(st.integers(0, 400)) :]):
        macros = prefix_macros(text)
        lines = text.count(b"\n") + 1
        for facts in (read_cuda(text, "a.cu", macros), read_cuda_strings(text, "a.py")):
            assert all(1 <= kernel.line <= kernel.end_line <= lines for kernel in facts.kernels)
            assert all(1 <= host.line <= lines for host in facts.hosts)
