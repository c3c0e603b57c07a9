"""The host operators of a tree that end in CUDA kernels: vLLM's, known to torch, and SGLang's, built at run time."""

from __future__ import annotations

from extract.cuda import jit_ops, torch_ops
from extract.cuda.includes import include_closure
from extract.cuda.jit_ops import JitOp
from extract.cuda.text import Definition, definitions, reaching
from extract.cuda.torch_ops import TorchOp
from extract.tree import SourceTree
from kmaint.records.kernel import Kernel

CudaOp = TorchOp | JitOp


def read_ops(tree: SourceTree) -> list[CudaOp]:
    """Every operator whose CUDA source is in the tree, in path and name order."""
    return sorted([*torch_ops.read(tree), *jit_ops.read(tree)], key=lambda op: (op.path, op.name))


def ops_of(kernel: Kernel, ops: list[CudaOp], sources: Sources) -> list[CudaOp]:
    """The operators that launch a kernel, those of its own file first."""
    found = [op for op in ops if kernel.path in sources.read_with(op) and sources.launches(op, kernel.name)]
    return sorted(found, key=lambda op: (op.path != kernel.path, op.path, op.name))


class Sources:
    """The CUDA files of a tree as operators use them; each is read once."""

    def __init__(self, tree: SourceTree) -> None:
        self.root = tree.root
        self._definitions: dict[str, list[Definition]] = {}
        self._files: dict[str, tuple[str, ...]] = {}
        self._reaching: dict[tuple[str, str], set[str]] = {}

    def read_with(self, op: CudaOp) -> tuple[str, ...]:
        """The operator's file and all that it includes."""
        if op.path not in self._files:
            self._files[op.path] = (op.path, *include_closure(self.root, op.path, op.folders).files)
        return self._files[op.path]

    def launches(self, op: CudaOp, kernel: str) -> bool:
        """Whether the operator's own function or class names the kernel, directly or through others."""
        key = (op.path, kernel)
        if key not in self._reaching:
            known = [one for path in self.read_with(op) for one in self._read(path)]
            # a host function may have its kernel's name: an overload of it, told apart by nothing but its arguments
            self._reaching[key] = reaching(known, kernel) | {kernel}
        return not self._reaching[key].isdisjoint(op.symbols)

    def _read(self, path: str) -> list[Definition]:
        if path not in self._definitions:
            self._definitions[path] = definitions((self.root / path).read_text(errors="replace"))
        return self._definitions[path]
