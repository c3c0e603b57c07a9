"""The workflows as text: pinned, with no more rights than they need, and with steps that a shell and kmaint take."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kmaint.doctor.here import EXTRAS
from tests.command_lines import fault, script_lines

ROOT = Path(__file__).parent.parent
FILES = sorted([*(ROOT / ".github").rglob("*.yml"), *(ROOT / ".github").rglob("*.yaml")])
WORKFLOWS = [file for file in FILES if file.parent.name == "workflows"]
ACTIONS = [file for file in FILES if file.name == "action.yml"]
PINNED = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*")
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


def load(file: Path) -> dict[str, Any]:
    """The file as the runner reads it, to which `on` is a word and not what YAML 1.1 takes for true."""
    found: dict[Any, Any] = yaml.safe_load(file.read_text())
    return {"on" if key is True else str(key): value for key, value in found.items()}


def steps(file: Path) -> Iterator[dict[str, Any]]:
    content = load(file)
    yield from content.get("runs", {}).get("steps", [])
    for job in content.get("jobs", {}).values():
        yield from job.get("steps", [])


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_there_are_an_action_a_reusable_workflow_and_an_example() -> None:
    assert {file.name for file in WORKFLOWS} == {"ci.yml", "maintain.yml", "nightly.yml"}
    assert [named(file) for file in ACTIONS] == [".github/actions/kmaint/action.yml"]
    assert "workflow_call" in load(ROOT / ".github" / "workflows" / "maintain.yml")["on"]


@pytest.mark.parametrize("file", [*WORKFLOWS, *ACTIONS], ids=named)
def test_what_others_wrote_is_pinned_with_its_version(file: Path) -> None:
    used = re.findall(r"uses: (.+)", file.read_text())
    assert [one for one in used if not one.startswith("./") and not PINNED.fullmatch(one)] == []
    assert [one for one in used if one.startswith("./") and not (ROOT / one).exists()] == []


@pytest.mark.parametrize("file", [*WORKFLOWS, *ACTIONS], ids=named)
def test_shell_steps_are_shell_and_have_no_expression_in_them(file: Path) -> None:
    for step in steps(file):
        if script := step.get("run"):
            assert not EXPRESSION.search(script), "it would be pasted into the script: give it through env"
            ended = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
            assert ended.returncode == 0, ended.stderr
            assert [said for words in script_lines(script) if (said := fault(words))] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=named)
def test_rights_are_given_job_by_job(file: Path) -> None:
    content = load(file)
    assert content["permissions"] == {}
    for name, job in content["jobs"].items():
        assert job["permissions"], name
        assert "uses" in job or "timeout-minutes" in job, name
        checkouts = [step for step in job.get("steps", []) if step.get("uses", "").startswith("actions/checkout@")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts), name


def test_what_can_write_runs_nothing_of_ours_and_what_measures_cannot_write() -> None:
    """Code that was generated runs in one job, a token that writes is in the other."""
    jobs = load(ROOT / ".github" / "workflows" / "maintain.yml")["jobs"]
    assert jobs["measure"]["permissions"] == {"contents": "read"}
    assert "self-hosted" not in str(jobs["publish"]["runs-on"])
    assert "write" in jobs["publish"]["permissions"].values()
    assert jobs["publish"]["needs"] == "measure"
    used = [step.get("uses", "") for step in jobs["publish"]["steps"]]
    assert [one for one in used if one.startswith("./")] == []
    assert "secrets" not in (ROOT / ".github" / "workflows" / "maintain.yml").read_text()


def test_nobody_from_outside_starts_a_runner_of_ours() -> None:
    for file in WORKFLOWS:
        begins = load(file)["on"]
        assert "pull_request_target" not in begins
        if file.name == "nightly.yml":
            assert set(begins) == {"schedule", "workflow_dispatch"}


@pytest.mark.parametrize("file", WORKFLOWS, ids=named)
def test_arguments_of_the_action_are_a_command_that_there_is(file: Path) -> None:
    inputs = load(ACTIONS[0])["inputs"]
    for step in steps(file):
        if step.get("uses") == "./.github/actions/kmaint":
            given = step["with"]
            assert set(given) <= set(inputs)
            words = [EXPRESSION.sub("1", word) for word in given["arguments"].split("\n") if word]
            assert fault(words) == ""
    assert all(extra in inputs["extras"]["description"] for extra in EXTRAS)


def test_calls_of_the_reusable_workflow_give_what_it_takes() -> None:
    takes = load(ROOT / ".github" / "workflows" / "maintain.yml")["on"]["workflow_call"]["inputs"]
    needed = {name for name, one in takes.items() if one.get("required")}
    for job in load(ROOT / ".github" / "workflows" / "nightly.yml")["jobs"].values():
        assert needed <= set(job["with"]) <= set(takes)


@pytest.mark.parametrize("arguments", ["scan\n\n--match=a b\ntree\n", "--version"])
def test_the_action_gives_each_line_as_one_argument(arguments: str, tmp_path: Path) -> None:
    """Its own script, with a program in kmaint's place that says what it was given and ends with 1."""
    (script,) = [step["run"] for step in steps(ACTIONS[0]) if step.get("id") == "run"]
    program = tmp_path / "kmaint" / "bin" / "kmaint"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nfor word in "$@"; do echo "<$word>"; done\nexit 1\n')
    program.chmod(0o755)
    output = tmp_path / "output"
    for no_is_success, status in (("true", 0), ("false", 1)):
        environment = {"PATH": "/usr/bin:/bin", "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(output)}
        environment |= {"ARGUMENTS": arguments, "NO_IS_SUCCESS": no_is_success}
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        ended = subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)
        assert (ended.returncode, output.read_text().splitlines()[-1]) == (status, "status=1")
        assert ended.stdout.splitlines() == [f"<{word}>" for word in arguments.split("\n") if word]
