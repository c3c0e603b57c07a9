"""Trees for the tests of extract: a reduced real one, and ones written on the spot."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

CASES = Path(__file__).parent / "cases"
WriteTree = Callable[[dict[str, str]], Path]


@pytest.fixture
def sglang_tree(tmp_path: Path) -> Path:
    """A few real files of SGLang 0.5.17 in their places."""
    return Path(shutil.copytree(CASES / "sglang", tmp_path / "sglang"))


@pytest.fixture
def write_tree(tmp_path: Path) -> WriteTree:
    """Writes a tree of vLLM's shape from texts by path."""

    def write(files: dict[str, str]) -> Path:
        root = tmp_path / "tree"
        for path, text in {"vllm/__init__.py": "", **files}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return root

    return write
