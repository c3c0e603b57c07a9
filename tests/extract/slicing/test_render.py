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
    "vllm/__init__.py": "TOP = 0\n",
    "vllm/a.py": """CONST = 1

def host(x):
    from vllm.config.b import limit as most
    from vllm import TOP

    return min(x, most) + TOP
""",
    "vllm/config/__init__.py": "import a_package_that_is_nowhere\n",
    "vllm/config/b.py": "from vllm.a import CONST\nlimit = CONST + 1\n",
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
def test_what_a_function_imports_is_there_whatever_the_order_in_which_the_modules_need_each_other(
    sliced: Path, module: str
) -> None:
    assert run(sliced, f"import {module}; print({module}.host(9))") == "2"
    text = (sliced / KERNEL).read_text()
    assert '        "vllm": ("TOP",),\n        "vllm.config.b": ("limit",),\n' in text
    assert text.index("CONST = 1") < text.index("limit = CONST")


def test_an_installed_framework_is_not_asked(sliced: Path, tmp_path: Path) -> None:
    """What was sliced is of one release, and what is installed may be another's."""
    there = tmp_path / "site"
    for name in ("vllm/__init__.py", "vllm/config/__init__.py"):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_text("")
    (there / "vllm" / "config" / "b.py").write_text("limit = 7\n")
    code = "import kernel; print(kernel.host(9)); from vllm.config.b import limit; print(limit)"
    assert run(sliced, code, there) == "2\n7"


def test_each_kernel_of_a_process_has_its_own(sliced: Path) -> None:
    """A candidate is another kernel.py, and the original may be beside it."""
    (sliced / "second.py").write_text((sliced / KERNEL).read_text().replace("CONST = 1", "CONST = 4"))
    code = "import kernel, second; print(kernel.host(9), second.host(9), [one for one in sys.modules if 'vllm' in one])"
    assert run(sliced, code) == "2 5 []"


def test_a_function_that_is_called_while_the_module_is_made_has_what_stands_above_it(
    write_tree: WriteTree, tmp_path: Path
) -> None:
    files = {
        "vllm/a.py": "def mode():\n    from vllm.b import limit\n    return limit\n\nMODE = mode()\n\n"
        "def host():\n    return MODE\n",
        "vllm/b.py": "limit = 3\n",
    }
    library = Library(locate(write_tree(files)))
    closure = close(library, (library.at("vllm/a.py"), "host"))
    (tmp_path / "kernel.py").write_text(kernel_source(closure, "A slice."))
    (tmp_path / "shims.py").write_text(shims_source(closure, library, "vllm"))
    assert run(tmp_path, "import kernel; print(kernel.host())") == "3"
