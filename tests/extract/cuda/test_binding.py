from __future__ import annotations

import ast
import dataclasses

import pytest

from extract.cuda import binding, torch_ops
from extract.cuda.binding import UnknownSchemaError, signature, written
from extract.tree import SourceTree
from kmaint.formatting import format_python


@pytest.mark.parametrize(
    ("schema", "parameters", "call", "returns"),
    [
        (
            "rms_norm(Tensor! result, Tensor input, Tensor? weight, float epsilon) -> ()",
            "result: torch.Tensor, input: torch.Tensor, weight: torch.Tensor | None, epsilon: float",
            "result, input, weight, epsilon",
            "None",
        ),
        (
            "rotate( Tensor(a!) q, Tensor!? key, SymInt n, int!? m, bool inverse=False) -> ()",
            "q: torch.Tensor, key: torch.Tensor | None, n: int, m: int | None, inverse: bool = False",
            "q, key, n, m, inverse",
            "None",
        ),
        (
            "quant.out(Tensor x, Tensor !ids, *, Tensor(b!) scale, int[]? shape=None ) -> (Tensor, Tensor)",
            "x: torch.Tensor, ids: torch.Tensor, *, scale: torch.Tensor, shape: list[int] | None = None",
            "x, ids, scale=scale, shape=shape",
            "tuple[torch.Tensor, torch.Tensor]",
        ),
        (
            "size(ScalarType t, str name, int[][] all)->int",
            "t: torch.dtype, name: str, all: list[list[int]]",
            "t, name, all",
            "int",
        ),
        ("none() -> Tensor", "", "", "torch.Tensor"),
    ],
)
def test_a_schema_becomes_a_python_signature(schema: str, parameters: str, call: str, returns: str) -> None:
    found = signature(schema)
    assert (found.parameters, found.call, found.returns) == (parameters, call, returns)


def test_a_type_without_a_python_name_is_said() -> None:
    with pytest.raises(UnknownSchemaError, match=r"^Generator: no Python type for it in 'f\(Generator g\) -> \(\)'$"):
        signature("f(Generator g) -> ()")


def test_the_generated_module_holds_the_operator_under_its_own_signature(vllm_cuda: SourceTree) -> None:
    (op,) = torch_ops.read(vllm_cuda)
    source = format_python(binding.kernel_source(op, "title", ("-O2",), ("include",)), columns=120)
    function = ast.parse(source).body[-1]
    assert isinstance(function, ast.FunctionDef)
    assert ast.unparse(function.args) == "A: torch.Tensor, perm: torch.Tensor"
    assert ast.unparse(function.body[-1]) == "return operators(FLAGS, FOLDERS).permute_cols(A, perm)"


def test_the_binding_registers_the_operator_as_the_tree_does(vllm_cuda: SourceTree) -> None:
    (op,) = torch_ops.read(vllm_cuda)
    assert binding.binding_source(op, "kernel.cu").splitlines()[1:] == [
        "#include <torch/csrc/stable/library.h>",
        "",
        '#include "kernel.cu"',
        "",
        "STABLE_TORCH_LIBRARY_FRAGMENT(KMAINT_LIBRARY, ops) {",
        '  ops.def("permute_cols(Tensor A, Tensor perm) -> Tensor");',
        "}",
        "",
        "STABLE_TORCH_LIBRARY_IMPL(KMAINT_LIBRARY, CUDA, ops) {",
        '  ops.impl("permute_cols", TORCH_BOX(&permute_cols));',
        "}",
    ]


def test_what_the_file_registers_itself_is_renamed_and_not_said_twice(vllm_cuda: SourceTree) -> None:
    (op,) = torch_ops.read(vllm_cuda)
    source = binding.binding_source(dataclasses.replace(op, registered=True), "kernel.cu")
    assert "#define _C KMAINT_LIBRARY\n" in source.partition('#include "kernel.cu"')[0]
    assert "ops.def(" in source
    assert "STABLE_TORCH_LIBRARY_IMPL" not in source
    assert "ops.def(" not in binding.binding_source(dataclasses.replace(op, declared=True, registered=True), "k.cu")


def test_what_a_schema_says_is_written() -> None:
    schema = (
        "f(Tensor! result, Tensor input, Tensor!? key, Tensor(a!) out, int!? n=None, float[] x=[0, 1]) -> (Tensor(a!))"
    )
    assert written(schema) == {"result", "key", "out", "n"}
    assert written("f() -> ()") == frozenset()
