"""A kernel's text tells an edit of it, or of its tuner's configurations, from everything else in its file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import extract

CASE = Path(__file__).parents[1] / "cases" / "sglang-0.5.17"
FILE = "sglang/kernels/ops/attention/merge_state.py"
KERNEL = f"{FILE}::merge_state_kernel"


def texts(tree: Path) -> dict[str, str]:
    return extract.kernel_texts(extract.scan_tree(tree, use_cache=False))


@pytest.mark.parametrize(
    ("what", "edit", "same"),
    [
        ("its body", lambda text: text.replace("tl.exp(p_lse)", "tl.exp2(p_lse)"), False),
        ("a comment in it", lambda text: text.replace("    tl.store(", "    # here\n    tl.store(", 1), False),
        (
            "its decorators",
            lambda text: text.replace("@triton.jit", "@triton.autotune([], key=[])\n@triton.jit"),
            False,
        ),
        ("lines above", lambda text: text.replace("import torch", "# a licence\nimport torch", 1), True),
        ("blanks at line ends", lambda text: text.replace("\n    tl.store(", "   \n    tl.store("), True),
        ("the launcher", lambda text: text.replace("def merge_state_triton(", "def  merge_state_triton("), True),
    ],
)
def test_what_counts_as_a_change(what: str, edit: Callable[[str], str], same: bool, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(CASE, tmp_path / "tree"))
    before, source = texts(tree), (tree / FILE).read_text()
    assert list(before) == [KERNEL]
    changed = edit(source)
    assert changed != source, what
    (tree / FILE).write_text(changed)
    assert (texts(tree) == before) is same


def test_a_moved_file_keeps_its_text(tmp_path: Path) -> None:
    tree = Path(shutil.copytree(CASE, tmp_path / "tree"))
    before = texts(tree)
    (tree / FILE).rename((tree / FILE).with_name("merging.py"))
    assert list(texts(tree).values()) == list(before.values())
