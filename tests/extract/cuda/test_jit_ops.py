from __future__ import annotations

from extract.cuda import jit_ops
from extract.tree import SourceTree

MODULE = "sglang/kernels/ops/attention/more.py"
SOURCE = """
from sglang.kernels.jit.utils import load_jit

def _module(dtype):
    _choice()
    return load_jit("m", cuda_files=["elementwise/clamp_position.cuh"], cuda_wrappers=[("run", f"A<{dtype}>::run")])

def _heavy():
    return load_jit("h", cuda_files=["missing.cuh", "elementwise/clamp_position.cuh"], extra_dependencies=["cutlass"])

def _choice():
    return "ChosenKernel"

def _inner(x):
    return _module(x.dtype).run(x)

def can_use(x) -> bool:
    return _module(x.dtype) is not None

def outer(x):
    return _inner(x)

def both(x):
    return _heavy().run(_inner(x))

def unrelated(x):
    return x
"""


def test_an_operator_is_a_public_function_over_the_loader(sglang_cuda: SourceTree) -> None:
    (found,) = jit_ops.read(sglang_cuda)
    assert (found.name, found.loaders) == ("clamp_position_cuda", ("_jit_clamp_position_module",))
    assert found.path == "sglang/kernels/jit/csrc/elementwise/clamp_position.cuh"
    assert "ClampPosition" in found.symbols
    assert found.id == "sglang/kernels/ops/attention/clamp_position.py::clamp_position_cuda"


def test_operators_are_found_through_private_functions_and_tests_of_support_are_none(sglang_cuda: SourceTree) -> None:
    (sglang_cuda.root / MODULE).write_text(SOURCE)
    found = {op.name: op for op in jit_ops.read(sglang_cuda) if op.module == MODULE}
    assert {name: op.loaders for name, op in found.items()} == {"outer": ("_module",), "both": ("_heavy", "_module")}
    assert "ChosenKernel" in found["outer"].symbols
    assert found["both"].needs == ("cutlass",)
    assert found["both"].files == ("sglang/kernels/jit/csrc/elementwise/clamp_position.cuh",)


def test_exports_go_where_the_trees_own_loader_puts_them(sglang_cuda: SourceTree) -> None:
    assert jit_ops.export_namespace(sglang_cuda) == ""
    loader = sglang_cuda.root / "sglang/kernels/jit/utils/spec.py"
    loader.write_text('lines.append("namespace sglang {")\n')  # as 0.5.23 has it
    assert jit_ops.export_namespace(sglang_cuda) == "sglang"


def test_a_file_that_does_not_parse_has_no_operators(sglang_cuda: SourceTree) -> None:
    (sglang_cuda.root / MODULE).write_text("def load_jit(:\n")
    assert [op.name for op in jit_ops.read(sglang_cuda)] == ["clamp_position_cuda"]


def test_a_tree_without_the_loader_has_none(vllm_cuda: SourceTree) -> None:
    assert list(jit_ops.read(vllm_cuda)) == []
