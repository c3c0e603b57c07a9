"""Commands about kmaint itself, as they are met on a command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def kmaint(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kmaint", *words], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_a_word_is_explained(tmp_path: Path) -> None:
    ended = kmaint("explain", "stale_result", cwd=tmp_path)
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("stale_result (code): Right alone and wrong after other calls")
    assert [line.split()[0] for line in lines[1:]] == ["found", "example", "next"]
    said = json.loads(kmaint("explain", "unlike-speed", "--format", "json", cwd=tmp_path).stdout)
    assert said["schema"] == "kmaint.explain/1"
    assert [(one["kind"], one["word"]) for one in said["explanations"]] == [("parity", "unlike_speed")]


def test_all_words_are_listed(tmp_path: Path) -> None:
    ended = kmaint("explain", cwd=tmp_path)
    assert ended.returncode == 0
    assert {"verdict", "code", "parity", "mutant", "run"} <= {line.strip() for line in ended.stdout.splitlines()}
    assert "clock_disagrees" in ended.stdout


def test_an_unknown_word_is_one_line(tmp_path: Path) -> None:
    ended = kmaint("explain", "mismach", cwd=tmp_path)
    said = "kmaint: 'mismach' is no verdict, code or state; the nearest are mismatch\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", said)


def test_a_purpose_that_there_is_none_of_is_refused(tmp_path: Path) -> None:
    ended = kmaint("doctor", "--for", "flying", cwd=tmp_path)
    assert ended.returncode == 2
    assert "flying" in ended.stderr


@pytest.mark.parametrize("package", ["mcp", "anyio"])
def test_without_its_extra_the_server_says_what_adds_it(package: str, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv = ['kmaint', 'mcp']\nfrom kmaint import cli; cli.run()"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert ended.stderr.startswith(f"kmaint: no {package}")
    assert ended.stderr.endswith(f"'{sys.executable} -m pip install kmaint[mcp]' adds it\n")
