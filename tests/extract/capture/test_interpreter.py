"""Which Python a command starts, told from real files, and which framework that one has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from extract.capture.interpreter import framework_of, interpreter_of
from kmaint.errors import MissingError, UsageError
from tests.extract.capture.conftest import TREE


def script(folder: Path, text: str) -> Path:
    path = folder / "tool"
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "#!{python}\nimport sys\n",
        "#! {python} -sP\nimport sys\n",
        "#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\nimport sys\n",
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\nimport sys\n",
    ],
    ids=["shebang", "shebang with options", "trampoline of pip", "trampoline of uv"],
)
def test_a_console_script_names_its_python(text: str, tmp_path: Path) -> None:
    path = script(tmp_path, text.format(python=sys.executable))
    assert interpreter_of(str(path), {}) == sys.executable


def test_env_and_bare_names_are_looked_up_where_the_command_would(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.symlink_to(sys.executable)
    script(tmp_path, "#!/usr/bin/env python3\n")
    assert interpreter_of("python3", {"PATH": str(tmp_path)}) == str(python)
    assert interpreter_of("tool", {"PATH": str(tmp_path)}) == str(python)


def test_other_programs_are_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match=re.escape("cannot tell which Python 'sh' starts; name the tree")):
        interpreter_of("sh", os.environ)
    with pytest.raises(MissingError, match=re.escape("cannot start 'no-such-program': no such program")):
        interpreter_of("no-such-program", os.environ)


def test_the_framework_is_the_one_that_interpreter_would_import(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(TREE)}
    assert framework_of([sys.executable, "x.py"], env=env) == TREE
    with pytest.raises(MissingError, match="has neither sglang nor vllm; name the tree with --tree"):
        framework_of([sys.executable], env={**env, "PYTHONPATH": ""})
    (tmp_path / "sglang").mkdir()
    (tmp_path / "sglang" / "__init__.py").touch()
    with pytest.raises(UsageError, match="has both sglang and vllm; say which with --tree"):
        framework_of([sys.executable], env={**env, "PYTHONPATH": f"{TREE}{os.pathsep}{tmp_path}"})


def test_a_checkout_is_taken_from_its_root(tmp_path: Path) -> None:
    shutil.copytree(TREE / "vllm", tmp_path / "python" / "sglang")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "python")}
    assert framework_of([sys.executable], env=env) == tmp_path / "python"
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert framework_of([sys.executable], env=env) == tmp_path
