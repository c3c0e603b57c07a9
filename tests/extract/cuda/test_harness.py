from __future__ import annotations

import sys
from pathlib import Path

import pytest

import testgen
from extract.cuda.harness import extract_cuda, extract_op
from extract.cuda.ops import read_ops
from extract.tree import SourceTree, open_tree
from extract.trying.everything import Wanted
from kmaint.child import clean_environment, run_child
from kmaint.errors import UsageError
from kmaint.folder import read_harness, sha256
from kmaint.records.kernel import Kernel, Scan

CLAMP = "sglang/kernels/jit/csrc/elementwise/clamp_position.cuh"
SCHEMAS = "csrc/libtorch_stable/torch_bindings.cpp"
PERMUTE = "csrc/libtorch_stable/permute_cols.cu"


def cut(tree: SourceTree, into: Path) -> Path:
    (op,) = read_ops(tree)
    ended = extract_op(tree, open_tree(tree.root), op, into, testgen.write_suite)
    assert (ended.state, ended.reason) == ("ready", "")
    assert ended.folder is not None
    return ended.folder


def imported(folder: Path, entry: str) -> str:
    """The entry's signature as a fresh interpreter sees it, the harness's folder alone on its path."""
    program = f"import sys; sys.path.insert(0, '.'); import inspect, kernel; print(inspect.signature(kernel.{entry}))"
    done = run_child([sys.executable, "-c", program], timeout_s=60, env=clean_environment(), cwd=folder)
    assert done.code == 0, done.stderr
    return done.stdout.strip()


def test_a_registered_operator_stands_alone_with_its_file_verbatim(vllm_cuda: SourceTree, tmp_path: Path) -> None:
    folder = cut(vllm_cuda, tmp_path / "out")
    assert folder.name == "vllm-permute-cols-cuda"
    for name, path in (("kernel.cu", PERMUTE), ("include/csrc/libtorch_stable/torch_utils.h",) * 2):
        original = vllm_cuda.root / path.removeprefix("include/")
        assert (folder / name).read_bytes() == original.read_bytes()
    harness = read_harness(folder)
    assert (harness.language, harness.entry, harness.op) == ("cuda", "permute_cols", "_C::permute_cols")
    assert harness.requires == ("nvcc",)
    assert harness.provenance.files[PERMUTE] == sha256((vllm_cuda.root / PERMUTE).read_bytes())
    assert (harness.regions[0].path, harness.regions[0].line) == (PERMUTE, 1)
    assert {stub.symbol for stub in harness.stubs} >= {"torch/csrc/stable/tensor.h"}
    assert imported(folder, "permute_cols") == "(A: 'torch.Tensor', perm: 'torch.Tensor') -> 'torch.Tensor'"


def test_an_operator_built_at_run_time_keeps_its_python_and_its_loader_arguments(
    sglang_cuda: SourceTree, tmp_path: Path
) -> None:
    folder = cut(sglang_cuda, tmp_path / "out")
    source = (sglang_cuda.root / CLAMP).read_bytes()
    assert (folder / "kernel.cuh").read_bytes() == source
    assert (folder / "include" / CLAMP).readlink() == Path("../../../../../../kernel.cuh")
    assert (folder / "include/sglang/kernels/jit/include/sgl_kernel/tensor.h").is_file()
    harness = read_harness(folder)
    assert harness.requires == ("nvcc", "apache-tvm-ffi")
    assert {stub.symbol for stub in harness.stubs} >= {"sglang.kernels.jit.utils.compile.load_jit"}
    assert imported(folder, "clamp_position_cuda") == "(seq_lens: 'torch.Tensor') -> 'torch.Tensor'"


def test_what_a_harness_cannot_bring_along_stops_it_and_leaves_nothing(sglang_cuda: SourceTree, tmp_path: Path) -> None:
    kernel = sglang_cuda.root / CLAMP
    kernel.write_text(f"#include <cutlass/cutlass.h>\n{kernel.read_text()}")
    (op,) = read_ops(sglang_cuda)
    ended = extract_op(sglang_cuda, open_tree(sglang_cuda.root), op, tmp_path / "out", testgen.write_suite)
    assert (ended.state, ended.folder) == ("stopped", None)
    assert ended.reason == ("cutlass/cutlass.h: CUTLASS headers are neither in the tree nor in a harness's environment")
    assert not (tmp_path / "out").exists()


def scan_of(tree: SourceTree) -> Scan:
    return Scan(tree=str(tree.root), release=open_tree(tree.root), kernels=(), problems=(), files=0, seconds=0.0)


def kernel_named(name: str) -> Kernel:
    return Kernel(path=PERMUTE, line=15, end_line=60, name=name, qualname=name, language="cuda", role="kernel")


def test_a_kernel_leads_to_the_operator_that_launches_it(vllm_cuda: SourceTree, tmp_path: Path) -> None:
    scan, nowhere = scan_of(vllm_cuda), kernel_named("nowhere")
    assert extract_cuda(vllm_cuda.root, scan, Wanted(kernel=nowhere), tmp_path, testgen.write_suite).reason == (
        "nowhere: no operator of the tree launches it"
    )
    wanted = Wanted(kernel=kernel_named("permute_cols_kernel"), launcher="rms_norm")
    with pytest.raises(
        UsageError, match="'rms_norm' is no operator that launches permute_cols_kernel; these do: permute_cols"
    ):
        extract_cuda(vllm_cuda.root, scan, wanted, tmp_path, testgen.write_suite)


def test_an_environment_without_a_compiler_leaves_the_harness_unbuilt_and_says_so(
    vllm_cuda: SourceTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CUDA_HOME", raising=False)
    monkeypatch.delenv("CUDA_PATH", raising=False)
    wanted = Wanted(kernel=kernel_named("permute_cols_kernel"))
    scan = scan_of(vllm_cuda)
    ended = extract_cuda(vllm_cuda.root, scan, wanted, tmp_path, testgen.write_suite, python=sys.executable)
    assert ended.folder is not None
    assert ended.state == "ready"
    (vllm_cuda.root / SCHEMAS).write_text((vllm_cuda.root / SCHEMAS).read_text().replace("Tensor perm", "Tensor order"))
    ended = extract_cuda(vllm_cuda.root, scan, wanted, tmp_path, testgen.write_suite, python=sys.executable)
    assert (ended.state, ended.reason) == (
        "imports",
        "perm: no parameter of permute_cols, and the table of its arguments names it; "
        "no nvcc: set CUDA_HOME, put it on PATH, or install the package nvidia-cuda-nvcc beside torch",
    )


def test_a_known_operator_has_workloads_at_models_sizes_an_oracle_and_a_suite_for_a_gpu(
    vllm_cuda: SourceTree, tmp_path: Path
) -> None:
    folder = cut(vllm_cuda, tmp_path / "out")
    harness = read_harness(folder)
    assert harness.oracle
    assert (folder / "reference.py").is_file()
    assert {one.origin for one in harness.contract.workloads} == {"model config"}
    assert sum(one.weight for one in harness.contract.timed) == pytest.approx(1)
    assert harness.contract.workloads[0].axes == {"num_tokens": 1, "hidden_size": 4096, "DT": "float16"}
    assert harness.replaced == folder / "kernel.cu"
    done = run_child([sys.executable, "-m", "pytest", "-q", "-rs", "test_kernel.py"], timeout_s=120, cwd=folder)
    assert done.code == 0
    assert "not judged: CUDA C++ has no interpreter" in done.stdout
