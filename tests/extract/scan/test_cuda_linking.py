from __future__ import annotations

from pathlib import Path

from extract.scan.cuda import prefix_macros, read_cuda
from extract.scan.cuda_linking import link_cuda

CASES = Path(__file__).with_name("cases")


def launchers(files: dict[str, str]) -> dict[str, list[str]]:
    """Ids of the hosts of each kernel."""
    facts = {path: read_cuda(text.encode(), path, prefix_macros(text.encode())) for path, text in files.items()}
    return {kernel.id: [host.id for host in kernel.launchers] for kernel in link_cuda(facts)}


def test_real_files_name_their_hosts() -> None:
    found = launchers({name: CASES.joinpath(name).read_text() for name in ("tiny_gemm.cuh", "layernorm_kernels.cu")})
    assert found == {
        "layernorm_kernels.cu::vllm::rms_norm_kernel": ["layernorm_kernels.cu::rms_norm"],
        "layernorm_kernels.cu::vllm::fused_add_rms_norm_kernel": ["layernorm_kernels.cu::fused_add_rms_norm"],
        "tiny_gemm.cuh::sglang::tiny_n_gemm_kernel": ["tiny_gemm.cuh::sglang::TinyNGemmKernel::run"],
        "tiny_gemm.cuh::sglang::tiny_k_gemm_kernel": ["tiny_gemm.cuh::sglang::TinyKGemmKernel::run"],
    }


def test_a_kernel_of_a_header_is_launched_by_those_who_include_it() -> None:
    found = launchers(
        {
            "csrc/deep/body.cuh": "__global__ void f() {}",
            "csrc/deep/all.cuh": '#include "body.cuh"\n',
            "csrc/host.cu": "#include <deep/all.cuh>\nvoid host() { f<<<1, 2>>>(); }",
            "csrc/other.cu": "__global__ void f() {}\nvoid other() { f<<<1, 2>>>(); }",
            "csrc/stranger.cu": "void stranger() { f<<<1, 2>>>(); }",
        }
    )
    assert found == {
        "csrc/deep/body.cuh::f": ["csrc/host.cu::host"],
        "csrc/other.cu::f": ["csrc/other.cu::other"],
    }


def test_a_declaration_leads_to_the_definition_of_the_same_whole_name() -> None:
    found = launchers(
        {
            "a.cu": "namespace a { __global__ void f() {} }",
            "b.cu": "namespace b { __global__ void f() {} }",
            "host.cu": "namespace a { __global__ void f();\nvoid host() { f<<<1, 2>>>(); } }",
        }
    )
    assert found == {"a.cu::a::f": ["host.cu::a::host"], "b.cu::b::f": [], "host.cu::a::f": ["host.cu::a::host"]}


def test_who_hands_a_kernel_on_gives_way_to_who_launches() -> None:
    pick = "__global__ void f() {}\nauto pick() { return &f; }\n"
    assert launchers({"a.cu": pick + "void host() { pick()<<<1, 2>>>(); }"}) == {"a.cu::f": ["a.cu::host"]}
    assert launchers({"a.cu": pick}) == {"a.cu::f": ["a.cu::pick"]}


def test_a_kernel_that_a_macro_defines_under_a_name_it_is_given_is_launched_by_that() -> None:
    text = (
        "#define KERNEL(BOUND, NAME) \\\n  __global__ void BOUND NAME(int* a) {}\n"
        "KERNEL(__launch_bounds__(256, 2), narrow)\nKERNEL(__launch_bounds__(512), wide)\n"
        "#define GO(NAME) NAME<<<1, 2>>>(0)\n"
        "void host() { GO(narrow); }\nvoid other() { hipLaunchKernelGGL(wide, 1, 2, 0, 0); }\n"
    )
    assert launchers({"a.cu": text}) == {"a.cu::NAME": ["a.cu::host", "a.cu::other"]}
    (kernel,) = read_cuda(text.encode(), "a.cu").kernels
    assert (kernel.line, kernel.role, kernel.given) == (2, "kernel", ("narrow", "wide"))


def test_a_macro_that_nothing_gives_a_name_defines_no_kernel() -> None:
    text = "#define KERNEL(NAME) __global__ void NAME() {}\nvoid host() { NAME<<<1, 2>>>(); }\n"
    (kernel,) = read_cuda(text.encode(), "a.cu").kernels
    assert (kernel.role, kernel.given) == ("unknown", ())
