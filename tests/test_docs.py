"""Every command in the README and in docs/ is one that kmaint takes, and those of the first hour do what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_lines import COMMANDS, command_lines, fault, mentions, script_lines

ROOT = Path(__file__).parent.parent
CASE = ROOT / "tests" / "cases" / "sglang-0.5.17"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
NAMED = re.compile(r"`((?:\.github|docs|extract|kmaint|tests|testgen|reports|reintegrate|benchmarks)/[\w./-]+)`")

CHEAP = ("scan", "explain", "runs", "nightly")
"""What of the first hour every test runs."""
ELSEWHERE = ("fetch", "capture", "maintain")
"""What needs the network, another tree, or a quarter of an hour."""


def test_the_harness_tells_right_from_wrong() -> None:
    text = "    kmaint scan sglang --top 3     a remark\n\n"
    text += "kmaint is prose here. Use `kmaint scann x`, `kmaint scan --top 3` or `kmaint\nscan t --nope`.\n"
    assert list(command_lines(text)) == [["scan", "sglang", "--top", "3"]]
    assert list(mentions(text)) == [["scann", "x"], ["scan", "--top", "3"], ["scan", "t", "--nope"]]
    assert [bool(fault(words, whole=False)) for words in mentions(text)] == [True, False, True]
    assert fault(["scan", "--top", "3"]).startswith("MissingParameter")
    assert fault(["extract", "t", "k", "-o", "x", "--launcher"]) != ""
    assert list(command_lines("    kmaint capture -o c -- COMMAND   how\n")) == [
        ["capture", "-o", "c", "--", "COMMAND"]
    ]
    assert list(command_lines("    kmaint scan t | less\n    kmaint a \\\n      --b   c\n")) == [
        ["scan", "t"],
        ["a", "--b"],
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one_that_kmaint_takes(page: Path) -> None:
    text = page.read_text()
    assert list(command_lines(text)), "no command was found in it"
    assert [(" ".join(words), said) for words in command_lines(text) if (said := fault(words))] == []
    assert [(" ".join(words), said) for words in mentions(text) if (said := fault(words, whole=False))] == []


def test_every_command_is_in_the_readmes_table() -> None:
    named = {words[0] for words in command_lines(PAGES[0].read_text())}
    assert set(COMMANDS) - named == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    links = LINK.findall(FENCED.sub("", text))  # code of the examples looks like links
    assert [link for link in links if not (page.parent / link).exists()] == []
    places = [place for place in NAMED.findall(text) if "NAME" not in place and "DATE" not in place]
    assert [place for place in places if not (ROOT / place).exists()] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the first hour is spent: the case tree stands for the fetched one."""
    shutil.copytree(CASE, tmp_path / "sglang")
    return tmp_path


def spend(folder: Path, commands: tuple[str, ...]) -> list[str]:
    """Run the page's commands of these kinds in their order, each to its end; what ran."""
    ran = []
    for block in CONSOLE.findall((ROOT / "docs" / "first-hour.md").read_text()):
        for words in script_lines(block):
            words = [sys.executable if word.startswith("/opt/") else word for word in words]
            if words[0] not in commands or "vllm" in words or "RUN" in words:
                continue
            argv = [sys.executable, "-m", "kmaint", *words]
            ended = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, (words, ended.stdout, ended.stderr)
            ran.append(words[0])
    return ran


def test_the_first_hours_cheap_commands_run(folder: Path) -> None:
    ran = spend(folder, CHEAP)
    assert set(ran) == set(CHEAP)
    assert (folder / "kernels.html").is_file()


@pytest.mark.slow
def test_the_first_hour(folder: Path) -> None:
    """All of it that needs neither network nor another tree; the candidate is the kernel as it is."""
    first = tuple(name for name in COMMANDS if name in ("doctor", "scan", "extract", "testgen", "parity", "mutate"))
    assert set(spend(folder, first)) == set(first)
    shutil.copy(next((folder / "harnesses").glob("*/kernel.py")), folder / "mine.py")
    rest = tuple(name for name in COMMANDS if name not in (*first, *ELSEWHERE))
    assert {"check", "optimize", "runs", "nightly"} <= set(spend(folder, rest))
