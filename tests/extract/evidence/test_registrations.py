"""SGLang's registry of kernels, read without running it; operators of C++."""

from __future__ import annotations

from pathlib import Path

from extract.evidence.files import TreeFiles
from extract.evidence.registrations import read_registry
from extract.scan.reader import Place, Reader
from extract.scan.walk import list_files
from extract.tree import locate

# The shapes of sglang/kernels/ops/layernorm/__init__.py and gemm/__init__.py of SGLang 0.5.23, shortened (Apache-2.0).
SPECIFICATIONS = """_KERNELS = [("norm", "rmsnorm", "triton"), ("head", "fused_head", "jit")]
_PACKAGE = "sglang.kernels.ops.layernorm"
for _mod, _fn, _bk in _KERNELS:
    register_kernel(
        KernelSpec(op=f"layernorm.{_fn}", backend=KernelBackend(_bk), target=f"{_PACKAGE}.{_mod}:{_fn}")
    )
register_kernel(
    KernelSpec(op="layernorm.one", backend=KernelBackend.JIT, target="sglang.kernels.ops.layernorm.norm:one")
)
register_kernel(KernelSpec(op=computed(), target="sglang.kernels.ops.layernorm.norm:two"))
"""
MODULE = """@cache_once
def _jit_module(dtype):
    return load_jit("norm", cuda_files=["elementwise/norm.cuh"], cuda_wrappers=[("norm", "Norm::run")])
"""


def write(root: Path, files: dict[str, str]) -> TreeFiles:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    reader = Reader(Place(str(root), "", frozenset()))
    return TreeFiles(locate(root), list_files(root).stamps, lambda calls: [reader.answer(*call) for call in calls])


def test_specifications_are_read_also_from_loops(tmp_path: Path) -> None:
    package = "sglang/kernels/ops/layernorm"
    files = {f"{package}/__init__.py": SPECIFICATIONS, f"{package}/norm.py": MODULE, f"{package}/head.py": ""}
    registry = read_registry(write(tmp_path, {"sglang/__init__.py": "", **files}), set())
    named = {key: [(one.name, one.line) for one in found] for key, found in registry.python.items()}
    assert named == {
        (f"{package}/norm.py", "rmsnorm"): [("layernorm.rmsnorm", 5)],
        (f"{package}/head.py", "fused_head"): [("layernorm.fused_head", 5)],
        (f"{package}/norm.py", "one"): [("layernorm.one", 8)],
    }
    ((registration, function),) = registry.sources["elementwise/norm.cuh"]
    assert (registration.line, function) == (3, "_jit_module")


def test_operators_of_cpp_carry_their_library_where_it_is_certain(tmp_path: Path) -> None:
    binding = """STABLE_TORCH_LIBRARY_FRAGMENT(_C, ops) {
  ops.def("silu_and_mul(Tensor! result, Tensor input) -> ()");
}
STABLE_TORCH_LIBRARY_IMPL(_C, CUDA, ops) {
  ops.impl("silu_and_mul", TORCH_BOX(&silu_and_mul));
}
TORCH_LIBRARY_EXPAND(TORCH_EXTENSION_NAME, rocm_ops) {
  rocm_ops.impl("wvSplitKQ", torch::kCUDA, &vllm::wvSplitKQ);
}
"""
    registry = read_registry(write(tmp_path, {"vllm/__init__.py": "", "csrc/torch_bindings.cpp": binding}), set())
    named = {name: [(one.name, one.line) for one in found] for name, found in registry.cpp.items()}
    assert named == {"silu_and_mul": [("_C::silu_and_mul", 5)], "wvSplitKQ": [("wvSplitKQ", 8)]}
