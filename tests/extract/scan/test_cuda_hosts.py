from __future__ import annotations

import pytest

from extract.scan.cuda import read_cuda

KERNEL = "namespace n {\ntemplate <int N> __global__ void f(int* a) {}\n"

LAUNCHES = {
    "chevrons": "f<4><<<1, 2>>>(a);",
    "chevrons of a qualified name": "n::f<(4 > 3)><<<dim3(1), 2, 0, stream>>>(a);",
    "cudaLaunchKernelEx": "cudaLaunchKernelEx(&config, f<4>, a);",
    "cudaLaunchKernel": "cudaLaunchKernel((void*)f<4>, grid, block, args, 0, stream);",
    "cudaLaunchCooperativeKernel": "cudaLaunchCooperativeKernel(reinterpret_cast<void*>(&f<4>), grid, block, args);",
    "hipLaunchKernelGGL": "hipLaunchKernelGGL(HIP_KERNEL_NAME(f<4>), grid, block, 0, stream, a);",
    "SGLang's LaunchKernel": "LaunchKernel(1, 2, device)\n  .enable_pdl(true)(f<4>, a);",
    "a variable": "auto kernel = f<4>;\n  kernel<<<1, 2>>>(a);",
    "a choice": "const auto kernel = wide ? f<4> : f<2>;\n  LaunchKernel(1, 2)(kernel, a);",
    "a lambda in a dispatch macro": "DISPATCH(type, [&] { f<4><<<1, 2>>>(a); });",
    "a macro of its own": "#define GO(N) f<N><<<1, 2>>>(a)\n  GO(4);",
    "a macro that is handed the kernel": "#define GO(k) k<<<1, 2>>>(a)\n  GO(f<4>);",
    "a macro of a macro": "#define GO(N) f<N><<<1, 2>>>(a)\n#define PICK() GO(4)\n  PICK();",
}


@pytest.mark.parametrize("way", LAUNCHES)
def test_each_way_to_launch_names_its_host(way: str) -> None:
    text = f"{KERNEL}void host(int* a) {{\n  {LAUNCHES[way]}\n}}\nvoid other() {{ g(); }}\n}}\n"
    (host,) = read_cuda(text.encode(), "a.cu").hosts
    assert (host.qualname, host.line, host.launches) == ("n::host", 3, True)
    assert "f" in host.mentions


def test_a_constant_of_the_class_leads_to_the_kernel() -> None:
    text = KERNEL + (
        "struct Runner {\n"
        "  static constexpr auto wide = f<4>;\n"
        "  static constexpr void (*narrow)(int*) = f<2>;\n"
        "  template <size_t... I> static auto table(seq<I...>) { return array{f<I>...}; }\n"
        "  static constexpr auto kTable = table(make_seq<4>{});\n"
        "  static void run(int* a) { LaunchKernel(1, 2)(wide, a); }\n"
        "  static void walk(int* a) { LaunchKernel(1, 2)(narrow, a); }\n"
        "  static void pick(int* a) { LaunchKernel(1, 2)(kTable[3], a); }\n"
        "};\n}\n"
    )
    hosts = {host.qualname: host for host in read_cuda(text.encode(), "a.cu").hosts}
    assert "f" in hosts["n::Runner::run"].mentions
    assert "f" in hosts["n::Runner::walk"].mentions
    assert hosts["n::Runner::table"].launches is False
    assert hosts["n::Runner::table"].callers == ("n::Runner::pick",)


def test_callers_are_found_through_macros_and_tell_methods_of_one_name_apart() -> None:
    text = KERNEL + (
        "struct A { static void run(int* a) { f<1><<<1, 2>>>(a); } };\n"
        "struct B { static void run(int* a) { f<2><<<1, 2>>>(a); } };\n"
        "#define CALL_B() B::run(a)\n"
        "void first(int* a) { A::run(a); }\n"
        "void second(int* a) { CALL_B(); }\n}\n"
    )
    callers = {host.qualname: host.callers for host in read_cuda(text.encode(), "a.cu").hosts}
    assert callers == {"n::A::run": ("n::first",), "n::B::run": ("n::second",)}


def test_kernels_and_device_functions_are_no_hosts() -> None:
    text = "__device__ void g() { LaunchCompletion(); }\n__global__ void f() { g<<<1, 1>>>(); }\n"
    assert read_cuda(text.encode(), "a.cu").hosts == ()


def test_a_parameter_of_a_macro_is_not_what_another_macro_of_that_name_stands_for() -> None:
    text = (
        "__global__ void f() {}\n__global__ void g() {}\n"
        "#define GO(KERNEL) KERNEL<<<1, 2>>>()\n"
        "void first() { GO(f); }\n"
        "#define KERNEL() g<<<1, 2>>>()\n"
        "void second() { KERNEL(); }\n"
    )
    hosts = {host.qualname: {"f", "g"} & {*host.mentions} for host in read_cuda(text.encode(), "a.cu").hosts}
    assert hosts == {"first": {"f"}, "second": {"g"}}
