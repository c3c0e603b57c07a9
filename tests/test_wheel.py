"""What users install: a wheel with five top-level packages that runs from anywhere."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(into), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return next(into.glob("*.whl"))


def test_holds_the_five_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"kmaint", "extract", "testgen", "reintegrate", "reports"}
    assert {"extract/runtime/cases.py", "kmaint/evaluate/worker.py", "kmaint/agent/prompts/planner.md.j2"} <= set(names)


def test_installed_elsewhere_it_runs(wheel: Path, tmp_path: Path) -> None:
    """Its own files come from the wheel alone; the libraries are those that are here, so that no index is asked."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--target",
            str(site),
            str(wheel),
        ],
        check=True,
    )
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{libraries}"}
    run = [str(python), "-m", "kmaint", "--help"]
    ended = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "maintain" in ended.stdout
    assert not list(site.glob("*.pth"))


def test_a_package_of_the_same_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "extract").mkdir()
    (tmp_path / "extract" / "__init__.py").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    environment.pop("PYTHONSAFEPATH", None)
    run = [sys.executable, "-m", "kmaint", "--help"]
    ended = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    expected = f"kmaint: package 'extract' would come from {tmp_path / 'extract' / '__init__.py'}, not {ROOT}"
    assert ended.stderr.strip() == f"{expected}; install kmaint in an environment of its own"
