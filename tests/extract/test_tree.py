from __future__ import annotations

from pathlib import Path

import pytest

from extract.tree import locate, open_tree
from kmaint.errors import UsageError
from kmaint.records.kernel import Release


def test_a_released_tree_says_what_it_is(sglang_tree: Path) -> None:
    assert open_tree(sglang_tree) == Release(framework="sglang", version="0.5.17", commit=None, licence="Apache-2.0")


def test_the_repository_of_sglang_keeps_its_package_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "python/sglang").mkdir(parents=True)
    (tmp_path / "python/sglang/__init__.py").write_text("")
    tree = locate(tmp_path)
    assert tree.package_root == tmp_path / "python"
    assert tree.module_of(tmp_path / "python/sglang/__init__.py") == "sglang"
    assert open_tree(tmp_path).version is None


def test_a_folder_that_holds_neither_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_tree(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: not a tree of SGLang or vLLM: holds none of python/sglang/__init__.py, sglang/__init__.py, "
        "vllm/__init__.py; get a released one with 'kmaint fetch sglang==0.5.17 -o DIR'"
    )
