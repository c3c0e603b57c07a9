"""Names of a profile mapped onto kernels of a tree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from extract.profiles.hot import KernelName, add_heat, parse
from extract.survey import survey
from kmaint.records.kernel import Kernel, Language, Release, Role, Scan

TRACES = Path(__file__).parents[1] / "cases" / "traces"


@pytest.mark.parametrize(
    ("spelled", "name", "path"),
    [
        # As kineto wrote them for vLLM 0.26.0 and torch 2.11 on NVIDIA GPUs.
        ("void vllm::rms_norm_kernel<c10::BFloat16, 8>(c10::BFloat16*, int)", "rms_norm_kernel", ("vllm",)),
        ("void (anonymous namespace)::elementwise_kernel<at::Half>(at::Half*)", "elementwise_kernel", ()),
        (
            "std::enable_if<(((8)>(0)))&&vllm::_typeConvert<c10::BFloat16>::exists, void>::type "
            "vllm::fused_add_rms_norm_kernel<c10::BFloat16, 8, true>(c10::BFloat16*, long, c10::BFloat16 const*, int)",
            "fused_add_rms_norm_kernel",
            ("vllm",),
        ),
        ("vllm::moe::topkGating(float const*, bool)", "topkGating", ("vllm", "moe")),
        (
            "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>, "
            "std::array<char*, 3ul> >(int, at::native::CUDAFunctor_add<float>, std::array<char*, 3ul>)",
            "vectorized_elementwise_kernel",
            ("at", "native"),
        ),
        ("_ZN4vllm15rms_norm_kernelIN3c108BFloat16ELi8EEEvPT_i", "rms_norm_kernel", ("vllm",)),
        ("_Z10add_kernelPfi", "add_kernel", ()),
    ],
)
def test_names_of_cpp(spelled: str, name: str, path: tuple[str, ...]) -> None:
    assert parse(spelled) == KernelName(name, path, True)


def test_a_plain_name_stays_whole() -> None:
    for name in ("_fwd_kernel_0d1d2de", "nvjet_tst_64x8_64x16_4x1_v_bz_TNT", "Memset (Device)", "", "<<<", "a>b("):
        parse(name)
    assert parse("_fwd_kernel_0d1d2de") == KernelName("_fwd_kernel_0d1d2de", (), False)


def kernel(
    name: str, *, language: Language = "triton", path: str = "", qualname: str = "", role: Role = "kernel"
) -> Kernel:
    place = path or f"vllm/{language}_{name}.py"
    return Kernel(path=place, line=1, end_line=2, name=name, qualname=qualname or name, language=language, role=role)


def heated(tmp_path: Path, kernels: tuple[Kernel, ...], times: dict[str, float]) -> Scan:
    events = [{"ph": "X", "cat": "kernel", "name": name, "dur": time} for name, time in times.items()]
    (tmp_path / "t.json").write_text(json.dumps({"traceEvents": events}))
    release = Release(framework="vllm", version="1", commit=None, licence="Apache-2.0")
    scan = Scan(tree="/t", release=release, kernels=kernels, problems=(), files=1, seconds=0.0)
    return add_heat(scan, [tmp_path / "t.json"])


def test_specialisations_add_up_and_the_rest_is_listed(tmp_path: Path) -> None:
    kernels = (
        kernel("_fwd_kernel"),
        kernel("rms_norm_kernel", language="cuda", qualname="vllm::rms_norm_kernel"),
        kernel("gemm", language="cute"),
        kernel("cold"),
    )
    times = {
        "_fwd_kernel": 10.0,
        "_fwd_kernel_0d1d2de": 20.0,
        "void vllm::rms_norm_kernel<c10::Half>(c10::Half*)": 20.0,
        "void vllm::rms_norm_kernel<float>(float*)": 10.0,
        "kernel_cutlass_gemm_tensorptrf16gmem": 15.0,
        "nvjet_tst_64x8": 25.0,
    }
    found = heated(tmp_path, kernels, times)
    shares = [one.heat.share if one.heat else None for one in found.kernels]
    assert shares == [pytest.approx(0.3), pytest.approx(0.3), pytest.approx(0.15), None]
    assert found.kernels[0].heat is not None
    assert (found.kernels[0].heat.launches, found.kernels[0].heat.ambiguous) == (2, ())
    assert found.trace is not None
    assert found.trace.matched == pytest.approx(0.75)
    assert [(one.name, one.share) for one in found.trace.unmatched] == [("nvjet_tst_64x8", 0.25)]


def test_kernels_of_one_name_are_told_apart_by_language_and_namespace_or_listed_as_such(tmp_path: Path) -> None:
    kernels = (
        kernel("act"),
        kernel("act", language="cuda", path="csrc/a.cu", qualname="vllm::act"),
        kernel("act", language="cuda", path="csrc/b.cu", qualname="other::act"),
        kernel("twin", path="vllm/a.py"),
        kernel("twin", path="vllm/b.py"),
        kernel("twin", path="vllm/c.py", role="unknown"),
        kernel("twin", path="vllm/d.py", role="device"),
    )
    found = heated(tmp_path, kernels, {"act": 1.0, "void vllm::act<int>(int)": 2.0, "twin": 1.0})
    times = [one.heat.total_us if one.heat else None for one in found.kernels]
    assert times == [1.0, 2.0, None, 1.0, 1.0, None, None]
    assert found.kernels[3].heat is not None
    assert found.kernels[3].heat.ambiguous == ("vllm/b.py::twin",)
    assert found.trace is not None
    assert found.trace.matched == 1.0


def test_a_trace_of_an_h200_finds_the_kernel_of_its_tree(sglang_tree: Path) -> None:
    """Eager launches and those of a replayed CUDA graph; the trace says of itself where it is from."""
    scan = survey(sglang_tree, lambda _line: None, traces=[TRACES / "h200_merge_state.json.gz"])
    (hot,) = (kernel for kernel in scan.kernels if kernel.heat)
    assert hot.name == "merge_state_kernel"
    assert hot.heat is not None
    assert hot.heat.launches == 5
    assert hot.heat.total_us == pytest.approx(30.816)
    assert hot.heat.share == pytest.approx(0.415, abs=0.01)
    assert scan.trace is not None
    assert [one.name.partition("<")[0] for one in scan.trace.unmatched] == [
        "nvjet_sm90_tst_64x32_64x16_2x4_h_bz_splitK_TNT",
        "void at::native::vectorized_elementwise_kernel",
        "void cublasLt::splitKreduce_kernel",
    ]
