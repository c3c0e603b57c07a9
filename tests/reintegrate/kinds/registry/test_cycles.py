"""Whether one module's import comes to another's."""

from pathlib import Path

import pytest

from reintegrate.kinds.registry.cycles import reaches


@pytest.fixture
def package(tmp_path: Path) -> Path:
    files = {
        "top/__init__.py": "",
        "top/ops/__init__.py": "from top.ops.decides import decide\n",
        "top/ops/decides.py": "def decide():\n    from top.ops.launches import launch\n",
        "top/ops/launches.py": "def launch():\n    import top.ops.decides\n",
        "top/ops/typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .decides import decide\n",
        "top/ops/tried.py": "try:\n    import absent\nexcept ImportError:\n    from . import decides\n",
        "top/far.py": "from top.ops import tried\n",
        "top/other/__init__.py": "from ..ops.tried import *\n",
        "top/other/leaf.py": "import os\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("module", "comes"),
    [
        ("top.ops.launches", False),  # in a function
        ("top.ops.typed", False),  # for type checkers
        ("top.ops.tried", True),
        ("top.far", True),  # by way of another
        ("top.other.leaf", True),  # by its package
        ("top.ops.decides", True),
        ("absent", False),
    ],
)
def test_what_runs_on_import_is_followed(package: Path, module: str, comes: bool) -> None:
    assert reaches(package, [module], "top.ops.decides") is comes
