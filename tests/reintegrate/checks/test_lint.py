"""A patch under a repository's own hooks: what it adds to their complaints, what they mend, what cannot be run."""

from pathlib import Path

import pytest

from kmaint.errors import UsageError
from kmaint.records.change import Check
from reintegrate.checks.lint import Linter

CONFIG = """
exclude: 'third_party/.*'
repos:
- repo: https://github.com/astral-sh/ruff-pre-commit
  rev: v0.14.0
  hooks:
  - id: ruff-check
    args: [--output-format, github, --fix]
  - id: ruff-format
- repo: https://github.com/crate-ci/typos
  rev: v1.43.5
  hooks:
  - id: nobody-has-this
- repo: https://github.com/pre-commit/pre-commit-hooks
  rev: v5.0.0
  hooks:
  - id: check-json
  - id: trailing-whitespace
- repo: local
  hooks:
  - id: check-header
    name: Check headers
    entry: python tools/check_header.py
    language: python
    types: [python]
  - id: rust
    name: Rust
    entry: cargo fmt
    language: system
    types: [rust]
"""
PYPROJECT = '[tool.ruff]\nline-length = 60\n[tool.ruff.lint]\nselect = ["E", "F", "I"]\n'
HEADER = """import sys

for name in sys.argv[1:]:
    if "# SPDX" not in open(name).read():
        sys.exit(f"{name}:1: no header")
"""
CLEAN = "# SPDX\nimport os\n\n\ndef here():\n    return os.getcwd()\n"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    for name, text in {
        ".pre-commit-config.yaml": CONFIG,
        "pyproject.toml": PYPROJECT,
        "tools/check_header.py": HEADER,
        "a.py": CLEAN,
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def checked(top: Path, after: dict[str, str]) -> dict[str, Check]:
    linter = Linter(top, tuple(after))
    linter.before()
    for path, text in after.items():
        (top / path).write_text(text)
    return {check.name.removeprefix("lint: "): check for check in linter.after()}


def test_each_hook_that_concerns_the_files_is_told(top: Path) -> None:
    found = checked(top, {"a.py": CLEAN.replace("here", "there"), "b.json": "{}\n"})
    assert {name: check.state for name, check in found.items()} == {
        "ruff-check": "passed",
        "ruff-format": "passed",
        "nobody-has-this": "not_run",
        "check-json": "passed",
        "trailing-whitespace": "passed",
        "check-header": "passed",
    }
    assert found["nobody-has-this"].detail == "kmaint does not know how to run it without a network"
    assert found["ruff-check"].detail.endswith("(the project pins v0.14.0); 1 file, nothing new")


def test_what_its_own_formatter_mends_is_mended_and_said(top: Path) -> None:
    found = checked(top, {"a.py": "# SPDX\nimport sys\nimport os\n\ndef here():\n    return os.getcwd(), sys.path\n"})
    assert (found["ruff-check"].state, found["ruff-format"].state) == ("fixed", "passed")
    assert (top / "a.py").read_text() == (
        "# SPDX\nimport os\nimport sys\n\n\ndef here():\n    return os.getcwd(), sys.path\n"
    )
    found = checked(top, {"new.py": "# SPDX\nx=1\n"})
    assert (found["ruff-check"].state, found["ruff-format"].state) == ("passed", "fixed")


def test_a_new_complaint_stops_the_road(top: Path) -> None:
    with pytest.raises(UsageError) as stopped:
        checked(top, {"a.py": CLEAN.replace("os.getcwd()", "os.getcwd(), somewhere")})
    assert str(stopped.value) == (
        "ruff-check, as the tree configures it, complains of the patch: a.py: F821 Undefined name `somewhere`; "
        "mend the winner so that the framework's linters accept it"
    )
    with pytest.raises(UsageError, match=r"check-header, as .*: new.py: no header; mend"):
        checked(top, {"new.py": "x = 1\n"})
    with pytest.raises(UsageError, match=r"check-json, as .*: new.json: is no JSON: Expecting value: line 1"):
        checked(top, {"new.json": "nothing\n"})


def test_what_was_complained_of_before_is_no_new_complaint(top: Path) -> None:
    old = "# SPDX\nimport os, sys\nx = 1 \n"
    (top / "a.py").write_text(old)
    found = checked(top, {"a.py": f"{old}y = 2\n"})
    assert {check.state for name, check in found.items() if name != "nobody-has-this"} == {"passed"}
    assert (top / "a.py").read_text() == f"{old}y = 2\n"


def test_excluded_files_are_nobodys_concern(top: Path) -> None:
    (top / "third_party").mkdir()
    assert checked(top, {"third_party/a.py": "x=1"}) == {}


def test_a_tree_without_hooks_is_told_so(tmp_path: Path) -> None:
    assert list(checked(tmp_path, {"a.py": "x=1"}).values()) == [
        Check(name="lint", state="not_run", detail="no .pre-commit-config.yaml in the tree: a wheel leaves it out")
    ]


def test_a_broken_configuration_is_refused(top: Path) -> None:
    (top / ".pre-commit-config.yaml").write_text("repos: [\n")
    with pytest.raises(UsageError, match=r"cannot be read: .*; mend it: the patch is to pass it"):
        checked(top, {"a.py": CLEAN})
