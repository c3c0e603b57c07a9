"""Reduced real trees with CUDA operators, and what a machine needs to build them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from extract.tree import SourceTree, locate

CASES = Path(__file__).parent / "cases"


@pytest.fixture
def vllm_cuda(tmp_path: Path) -> SourceTree:
    """`permute_cols` of vLLM 0.26.0, with what it includes."""
    return locate(Path(shutil.copytree(CASES / "vllm", tmp_path / "vllm")))


@pytest.fixture
def sglang_cuda(tmp_path: Path) -> SourceTree:
    """`clamp_position_cuda` of SGLang 0.5.17, with its loader and what it includes."""
    return locate(Path(shutil.copytree(CASES / "sglang", tmp_path / "sglang")))
