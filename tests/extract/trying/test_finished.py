from __future__ import annotations

from pathlib import Path

import pytest

from extract.trying.finished import INDEX, Index, locked, open_index
from kmaint.errors import UsageError
from kmaint.folder import MANIFEST
from kmaint.records.harness import Extraction

STOPPED = Extraction(id="a.py::stopped", folder=None, state="stopped", reason="einops: from a package")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text("one")
    return tmp_path


@pytest.fixture
def ready(tree: Path) -> Extraction:
    folder = tree / "out" / "vllm-kernel"
    folder.mkdir(parents=True)
    (folder / MANIFEST).touch()
    return Extraction(id="a.py::kernel", folder=folder, state="ready", level="launcher")


def found(tree: Path, kernel: str, how: str = "") -> Extraction | None:
    with open_index(tree / "out", tree, how) as index:
        return index.find(kernel)


def test_what_was_made_from_the_same_is_found_again(tree: Path, ready: Extraction) -> None:
    with open_index(tree / "out", tree, "") as index:
        index.add(ready, ["a.py"])
        index.add(STOPPED, ["a.py"])
    assert found(tree, ready.id) == ready
    assert found(tree, STOPPED.id) == STOPPED
    assert found(tree, "a.py::other") is None
    assert found(tree, ready.id, how="another interpreter") is None


def test_what_was_made_from_something_else_is_not(tree: Path, ready: Extraction) -> None:
    with open_index(tree / "out", tree, "") as index:
        index.add(ready, ["a.py", "missing.py"])
    (tree / "a.py").write_text("two")
    assert found(tree, ready.id) is None
    (tree / "a.py").write_text("one")
    assert found(tree, ready.id) == ready
    (tree / "missing.py").touch()
    assert found(tree, ready.id) is None


def test_a_harness_that_is_gone_is_not_found(tree: Path, ready: Extraction) -> None:
    with open_index(tree / "out", tree, "") as index:
        index.add(ready, ["a.py"])
    assert ready.folder is not None
    (ready.folder / MANIFEST).unlink()
    assert found(tree, ready.id) is None


def test_a_line_that_a_kill_cut_short_costs_that_line_only(tree: Path, ready: Extraction) -> None:
    with open_index(tree / "out", tree, "") as index:
        index.add(ready, ["a.py"])
        index.add(STOPPED, ["a.py"])
    file = tree / "out" / INDEX
    file.write_text(file.read_text()[:-20])
    with open_index(tree / "out", tree, "") as index:
        assert isinstance(index, Index)
        assert (index.find(ready.id), index.find(STOPPED.id)) == (ready, None)
        index.add(STOPPED, ["a.py"])
    assert found(tree, STOPPED.id) == STOPPED


def test_two_calls_do_not_work_in_one_folder(tree: Path, ready: Extraction) -> None:
    into = tree / "out"
    with locked(into), pytest.raises(UsageError) as caught, locked(into):
        pass
    assert str(caught.value) == f"{into}: another kmaint extracts into it; wait for it, or name another folder"
