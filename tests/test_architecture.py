"""The rooms: who may import whom, and what the core must not need."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_layers_hold() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    ended = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_the_core_imports_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['triton'] = None\n"
        "import kmaint.cli, kmaint.workflow, kmaint.show.runs, kmaint.__main__"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_tests_mirror_files() -> None:
    """Each test file stands where the module or package it tests stands, under the same name."""
    strays = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if not {"cases", "recorded"} & set(path.parts)
        and path.parent != ROOT / "tests"
        and not any(map(Path.exists, _subjects(path)))
    ]
    assert strays == []


def _subjects(test: Path) -> tuple[Path, ...]:
    """The module that a test file is named after, or the package, beside which or in which the test may stand."""
    inside = test.relative_to(ROOT / "tests").with_name(test.name.removeprefix("test_"))
    top = ROOT if (ROOT / inside.parts[0]).is_dir() and inside.parts[0] != "kmaint" else ROOT / "kmaint"
    module = top / inside
    package = module.parent if module.parent.name == module.stem else module.with_suffix("")
    return module, package / "__init__.py"
