"""CUDA kernels standing alone: the file, its include closure, and a binding that nvcc builds at first use."""

from extract.cuda.harness import extract_cuda, extract_op
from extract.cuda.ops import CudaOp, read_ops

__all__ = ["CudaOp", "extract_cuda", "extract_op", "read_ops"]
