from __future__ import annotations

from extract.cuda.ops import Sources, ops_of, read_ops
from extract.tree import SourceTree
from kmaint.records.kernel import Kernel


def kernel(path: str, name: str) -> Kernel:
    return Kernel(path=path, line=1, end_line=1, name=name, qualname=name, language="cuda", role="kernel")


def test_a_registered_operator_is_found_by_the_kernel_that_it_launches(vllm_cuda: SourceTree) -> None:
    path, ops = "csrc/libtorch_stable/permute_cols.cu", read_ops(vllm_cuda)
    assert [op.name for op in ops_of(kernel(path, "permute_cols_kernel"), ops, Sources(vllm_cuda))] == ["permute_cols"]
    assert ops_of(kernel(path, "another_kernel"), ops, Sources(vllm_cuda)) == []
    assert ops_of(kernel("csrc/other.cu", "permute_cols_kernel"), ops, Sources(vllm_cuda)) == []


def test_an_operator_built_at_run_time_is_found_through_the_class_that_its_wrapper_names(
    sglang_cuda: SourceTree,
) -> None:
    path = "sglang/kernels/jit/csrc/elementwise/clamp_position.cuh"
    found = ops_of(kernel(path, "clamp_position_kernel"), read_ops(sglang_cuda), Sources(sglang_cuda))
    assert [op.name for op in found] == ["clamp_position_cuda"]
