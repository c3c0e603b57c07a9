"""An installation of a played engine, and patches for it as git writes them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

CASE = Path(__file__).parent / "cases" / "vllm"
UNCOMPILED = shutil.ignore_patterns("__pycache__")
PatchOf = Callable[..., Path]


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has the played engine installed, and nothing else."""
    root = tmp_path_factory.mktemp("served")
    venv.create(root, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(CASE, root / "lib" / version / "site-packages" / "vllm", ignore=UNCOMPILED)
    return root / "bin" / "python"


@pytest.fixture
def patch_of(tmp_path: Path) -> PatchOf:
    """A patch file that replaces text in a file of the package, as it stands in a checkout under `prefix`."""

    def made(path: str, before: str, after: str, *, prefix: str = "", name: str = "win.patch") -> Path:
        tree = tmp_path / f"tree-{name}"
        shutil.copytree(CASE, tree / prefix / "vllm", ignore=UNCOMPILED)
        subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
        subprocess.run(["git", "add", "-A"], cwd=tree, check=True)
        file = tree / prefix / path
        text = file.read_text()
        assert text.count(before) == 1
        file.write_text(text.replace(before, after))
        (tree / "tests").mkdir()
        (tree / "tests" / "test_add.py").write_text("def test_add(): ...\n")
        subprocess.run(["git", "add", "--intent-to-add", "tests"], cwd=tree, check=True)
        written = tmp_path / name
        written.write_text(subprocess.run(["git", "diff"], cwd=tree, check=True, capture_output=True, text=True).stdout)
        return written

    return made
