"""The host operators of a tree that end in CUDA kernels: vLLM's, known to torch, and SGLang's, built at run time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Sources:
    """The CUDA files of a tree as operators use them; each is read once."""

    root: Path
    known: dict[str, list[Definition]]

    def definitions(self, path: str) -> list[Definition]:
        if path not in self.known:
            self.known[path] = definitions((self.root / path).read_text(errors="replace"))
        return self.known[path]


def ops_of(kernel: Kernel, ops: list[CudaOp], tree: SourceTree) -> list[CudaOp]:
    """The operators that launch a kernel, those of its own file first."""
    sources = Sources(tree.root, {})
    found = [op for op in ops if _launches(op, kernel, sources)]
    return sorted(found, key=lambda op: (op.path != kernel.path, op.path, op.name))


def _launches(op: CudaOp, kernel: Kernel, sources: Sources) -> bool:
    files = (op.path, *include_closure(sources.root, op.path, op.folders).files)
    if kernel.path not in files:
        return False
    known = [one for path in files for one in sources.definitions(path)]
    return not reaching(known, kernel.name).isdisjoint(op.symbols)
