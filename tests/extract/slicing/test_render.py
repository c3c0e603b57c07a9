"""The text of a slice, run as it stands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from extract.slicing.closure import close
from extract.slicing.modules import Library
from extract.slicing.render import kernel_source, shims_source, with_shims
from extract.tree import locate
from kmaint.folder import KERNEL, SHIMS

WriteTree = Callable[[dict[str, str]], Path]

FILES = {
    "vllm/a.py": "def host(x):\n    from vllm.config.b import limit as most\n\n    return min(x, most)\n",
    "vllm/config/__init__.py": "import a_package_that_is_nowhere\n",
    "vllm/config/b.py": "BASE = 1\nlimit = BASE + 1\n",
}


@pytest.fixture
def sliced(write_tree: WriteTree, tmp_path: Path) -> Path:
    library = Library(locate(write_tree(FILES)))
    closure = close(library, (library.at("vllm/a.py"), "host"))
    (folder := tmp_path / "slice").mkdir()
    source, shims = kernel_source(closure, "A slice."), shims_source(closure, library, "vllm")
    (folder / KERNEL).write_text(source)
    (folder / SHIMS).write_text(shims)
    (folder / "whole.py").write_text(with_shims(source, shims))
    return folder


def run(folder: Path, code: str, *paths: Path) -> str:
    argv = [
        sys.executable,
        "-P",
        "-c",
        f"import sys; sys.path[:0] = {[str(path) for path in (folder, *paths)]}; {code}",
    ]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("module", ["kernel", "whole"])
def test_what_a_function_imports_is_there_without_the_framework(sliced: Path, module: str) -> None:
    assert run(sliced, f"import {module}; print({module}.host(9))") == "2"
    assert 'provide("vllm.config.b", limit=limit)' in (sliced / KERNEL).read_text()


def test_where_the_framework_is_it_is_what_answers(sliced: Path, tmp_path: Path) -> None:
    there = tmp_path / "site"
    for name in ("vllm/__init__.py", "vllm/config/__init__.py"):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_text("")
    (there / "vllm" / "config" / "b.py").write_text("limit = 7\n")
    assert run(sliced, "import kernel; print(kernel.host(9))", there) == "7"


def test_a_second_slice_in_a_process_changes_nothing_for_the_first(sliced: Path) -> None:
    """A candidate is another kernel.py, and the original may be beside it."""
    (sliced / "second.py").write_text((sliced / KERNEL).read_text().replace("BASE = 1", "BASE = 4"))
    assert run(sliced, "import kernel, second; print(kernel.host(9), second.limit)") == "2 5"


def test_what_is_known_not_to_be_had_is_provided_though_a_folder_of_its_name_is_there(
    sliced: Path, tmp_path: Path
) -> None:
    (there := tmp_path / "site" / "vllm").mkdir(parents=True)
    asked = "import kernel; print(kernel.host(9))"
    assert run(sliced, f"sys.modules['vllm'] = None; {asked}", there.parent) == "2"
