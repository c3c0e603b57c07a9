"""What kmaint's own environment has, on machines that lack one thing or the other."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from kmaint.doctor.here import EXTRAS, of_kmaint, of_programs, of_sandbox
from kmaint.doctor.target import FRAMEWORKS
from kmaint.records.machine import Finding

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def named(found: object) -> dict[str, Finding]:
    return {one.name: one for one in found}  # type: ignore[attr-defined]


def test_the_bounds_are_the_projects_own() -> None:
    extras = PROJECT["optional-dependencies"]
    assert EXTRAS.keys() == extras.keys() - {"dev", "gpu", "sglang", "vllm"}
    bounds = {name: str(next(iter(Requirement(extras[name][0]).specifier)).version) for name in FRAMEWORKS}
    assert bounds == dict(FRAMEWORKS)


def test_a_state_folder_is_looked_at_and_not_made(tmp_path: Path) -> None:
    state = tmp_path / "a" / "b"
    found = named(of_kmaint(state))["state folder"]
    assert found.standing == "ok"
    assert found.found.startswith(f"{state}, ")
    assert list(tmp_path.iterdir()) == []
    found = named(of_kmaint(Path("/proc/kmaint")))["state folder"]
    assert (found.standing, found.get) == ("missing", "name a folder of your own with --state")


def test_programs_of_this_machine() -> None:
    found = named(of_programs())
    assert (found["git"].standing, found["ruff"].standing) == ("ok", "ok")


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = named(of_programs())
    assert (found["git"].standing, found["git"].found) == ("missing", "no git on PATH")
    assert found["git identity"].standing == "missing"


def test_a_git_from_years_ago(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = tmp_path / "git"
    git.write_text("#!/bin/sh\necho git version 2.17.1\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = named(of_programs())["git"]
    assert (found.standing, found.found) == ("missing", "2.17.1, and 2.28 is needed")


def test_the_walls_are_named_with_the_reason() -> None:
    found = of_sandbox(Path(sys.executable), gpu=False, runs=True)
    assert found.found.split(";")[0] in ("bubblewrap", "landlock", "none")
    assert (found.standing == "limited") is found.found.startswith("none")
    if shutil.which("bwrap") is None:
        assert "bubblewrap: not installed" in found.found
        assert found.get == "apt-get install bubblewrap"
    assert of_sandbox(Path("/no/python"), gpu=False, runs=False).standing == "limited"
