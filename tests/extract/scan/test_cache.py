from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from extract.scan import scan_tree
from extract.scan.cache import KEPT_SUFFIX, keep, recall
from kmaint.records.kernel import Scan

WriteTree = Callable[[dict[str, str]], Path]

KERNEL = "import triton\n\n@triton.jit\ndef kernel(x): ...\n"
HOST = "from vllm.a import kernel\n\ndef host(x):\n    kernel[(1,)](x)\n"


def scanned(tree: Path, *, use_cache: bool = True) -> Scan:
    return replace(scan_tree(tree, use_cache=use_cache), seconds=0.0)


@pytest.fixture
def cache(_own_cache: Path) -> Path:
    return _own_cache


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("vllm/a.py", KERNEL + "\n@triton.jit\ndef second(x): ...\n"),
        ("vllm/b.py", HOST.replace("host", "other")),
        ("vllm/b.py", ""),
        ("vllm/c.py", "from vllm.b import host\n\ndef caller():\n    host(1)\n"),
        ("vllm/a.py", "import triton\n"),
    ],
)
def test_after_a_change_a_kept_scan_is_as_a_fresh_one(path: str, text: str, write_tree: WriteTree) -> None:
    tree = write_tree({"vllm/a.py": KERNEL, "vllm/b.py": HOST})
    before = scanned(tree)
    assert before == scanned(tree) == scanned(tree, use_cache=False)
    (tree / path).write_text(text)
    assert scanned(tree) == scanned(tree, use_cache=False) != before


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("tests/test_a.py", "from tests.support import run\n\ndef test_other():\n    run()\n"),
        ("tests/support.py", "def run(): ...\n"),
        ("vllm/b.py", HOST + "\ndef outer(x):\n    host(x)\n"),
        ("vllm/d.py", "from vllm.b import host\n\n@custom_op('vllm::d')\ndef d(x):\n    host(x)\n"),
    ],
)
def test_after_a_change_kept_evidence_is_as_fresh_one(path: str, text: str, write_tree: WriteTree) -> None:
    tree = write_tree(
        {
            "vllm/a.py": KERNEL,
            "vllm/b.py": HOST,
            "tests/support.py": "from vllm.b import host\n\ndef run():\n    host(1)\n",
            "tests/test_a.py": "from tests.support import run\n\ndef test_run():\n    run()\n",
        }
    )
    before = scanned(tree)
    assert before.kernels[0].tests == ("tests/test_a.py::test_run",)
    (tree / path).write_text(text)
    assert scanned(tree) == scanned(tree, use_cache=False) != before


def test_a_damaged_cache_is_read_over(cache: Path, write_tree: WriteTree) -> None:
    tree = write_tree({"vllm/a.py": KERNEL})
    fresh = scanned(tree)
    kept = list(cache.rglob(f"*{KEPT_SUFFIX}"))
    assert kept
    for file in kept:
        file.write_bytes(file.read_bytes()[:-9] + b"\xff" * 9)
    assert scanned(tree) == fresh


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, write_tree: WriteTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(scanned(write_tree({"vllm/a.py": KERNEL})).kernels) == 1


def test_nothing_is_left_of_a_write_that_was_replaced(cache: Path) -> None:
    for value in (1, 2):
        keep("key", value)
    assert recall("key") == 2
    assert recall("another") is None
    assert len([file for file in cache.rglob("*") if file.is_file()]) == 1
    assert os.environ["XDG_CACHE_HOME"] == str(cache)
