from __future__ import annotations

import dataclasses

from extract.cuda import torch_ops
from extract.tree import SourceTree


def test_an_operator_has_its_schema_its_function_and_the_file_that_defines_it(vllm_cuda: SourceTree) -> None:
    (found,) = torch_ops.read(vllm_cuda)
    assert dataclasses.asdict(found) == {
        "name": "permute_cols",
        "namespace": "_C",
        "schema": "permute_cols(Tensor A, Tensor perm) -> Tensor",
        "function": "permute_cols",
        "path": "csrc/libtorch_stable/permute_cols.cu",
        "declared": False,
        "registered": False,
        "folders": ("csrc",),
    }


def test_a_schema_in_several_literals_is_one(vllm_cuda: SourceTree) -> None:
    quantiser = vllm_cuda.root / "csrc/quant.cu"
    quantiser.write_text("void per_token_group_quant_int8(const Tensor& input) { }\n")
    found = {op.name: op for op in torch_ops.read(vllm_cuda)}["per_token_group_quant_int8"]
    assert found.schema == (
        "per_token_group_quant_int8(Tensor input, Tensor! output_q, Tensor! output_s, int group_size, float eps, "
        "float int8_min, float int8_max) -> ()"
    )
    assert found.path == "csrc/quant.cu"


def test_a_file_that_registers_what_it_defines_is_known_for_it(vllm_cuda: SourceTree) -> None:
    (vllm_cuda.root / "csrc/own.cu").write_text(
        "void own(Tensor a) { }\n"
        'STABLE_TORCH_LIBRARY_FRAGMENT(_C, m) { m.def("own(Tensor a) -> ()"); }\n'
        'STABLE_TORCH_LIBRARY_IMPL(_C, CUDA, m) { m.impl("own", TORCH_BOX(&own)); }\n'
    )
    found = {op.name: (op.declared, op.registered) for op in torch_ops.read(vllm_cuda)}
    assert found == {"own": (True, True), "permute_cols": (False, False)}


def test_a_default_that_is_text_is_read_without_its_escapes(vllm_cuda: SourceTree) -> None:
    (vllm_cuda.root / "csrc/own.cu").write_text(
        "void own(Tensor a) { }\n"
        'STABLE_TORCH_LIBRARY_FRAGMENT(_C, m) { m.def("own(Tensor a, str kind=\\"auto\\") -> ()"); }\n'
        'STABLE_TORCH_LIBRARY_IMPL(_C, CUDA, m) { m.impl("own", TORCH_BOX(&own)); }\n'
    )
    found = {op.name: op.schema for op in torch_ops.read(vllm_cuda)}
    assert found["own"] == 'own(Tensor a, str kind="auto") -> ()'


def test_a_function_that_two_files_define_has_no_file(vllm_cuda: SourceTree) -> None:
    (vllm_cuda.root / "csrc/again.cu").write_text("Tensor permute_cols(Tensor a) { return a; }\n")
    assert list(torch_ops.read(vllm_cuda)) == []
    (vllm_cuda.root / "csrc/rocm").mkdir()
    (vllm_cuda.root / "csrc/again.cu").rename(vllm_cuda.root / "csrc/rocm/again.cu")
    assert [op.name for op in torch_ops.read(vllm_cuda)] == ["permute_cols"]


def test_the_abi_is_the_one_that_the_tree_builds_against(vllm_cuda: SourceTree) -> None:
    assert torch_ops.target_version(vllm_cuda.root) == "0x020B000000000000ULL"
    (vllm_cuda.root / "CMakeLists.txt").unlink()
    assert torch_ops.target_version(vllm_cuda.root) is None
