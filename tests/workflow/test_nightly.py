"""Nights over two versions of a real file of SGLang, on a machine without a GPU."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import git
import pytest

from kmaint.config import Config, load_config
from kmaint.console import Format
from kmaint.errors import UsageError
from kmaint.folder import KERNEL
from kmaint.records.night import Night, StepName
from kmaint.show import nightly as show
from kmaint.workflow import Wanted, diary, nightly

CASE = Path(__file__).parents[1] / "cases" / "sglang-0.5.17"
FILE = Path("sglang/kernels/ops/attention/merge_state.py")
KERNEL_ID = f"{FILE.as_posix()}::merge_state_kernel"
EDIT = ("tl.exp(p_lse)", "tl.exp(p_lse + 0.0)")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = Path(shutil.copytree(CASE, tmp_path / "tree"))
    git.Repo.init(root, initial_branch="main")
    commit(root, "0.5.17")
    return root


def commit(tree: Path, message: str) -> None:
    author = git.Actor("A Maintainer", "maintainer@example.org")
    repo = git.Repo(tree)
    repo.git.add(all=True)
    repo.index.commit(message, author=author, committer=author)


def edit(tree: Path) -> None:
    """The next version: another text of the kernel, and a kernel that was not there."""
    source = (tree / FILE).read_text()
    assert source.count(EDIT[0]) >= 1
    (tree / FILE).write_text(source.replace(*EDIT))
    more = "import triton\nimport triton.language as tl\n\n\n@triton.jit\ndef scale_kernel(x):\n    tl.store(x, 1.0)\n"
    (tree / FILE.with_name("scale.py")).write_text(more)
    commit(tree, "next")


def a_night(tree: Path, config: Config, name: str, **more: Any) -> Night:
    return nightly(Wanted(upstream=str(tree), night=name, **more), config, lambda _line: None)[0]


def states(night: Night) -> dict[StepName, str]:
    return {step.name: step.state for step in night.steps}


def test_two_nights_tell_what_changed(tree: Path, tmp_path: Path) -> None:
    config = load_config(state=tmp_path / "state")
    first = a_night(tree, config, "first", kernels=0)
    assert states(first) == {
        "upstream": "done",
        "scan": "done",
        "changes": "nothing",
        "recheck": "nothing",
        "optimize": "nothing",
        "drafts": "nothing",
    }
    edit(tree)
    second = a_night(tree, config, "second", kernels=0)
    assert second.changes is not None
    assert (second.changes.changed, second.changes.added) == ((KERNEL_ID,), (f"{FILE.parent}/scale.py::scale_kernel",))
    assert (second.changes.removed, second.changes.moved) == ((), ())
    step = second.ended("changes")
    assert step is not None and step.said == "1 added, 1 changed"
    assert second.release is not None and second.release.commit == git.Repo(tree).head.commit.hexsha


def test_a_failing_step_takes_no_other_with_it_and_is_taken_up_again(tree: Path, tmp_path: Path) -> None:
    config = load_config(state=tmp_path / "state", python=tmp_path / "no-python")
    night = a_night(tree, config, "one")
    assert states(night) == {**states(night), "optimize": "failed", "drafts": "nothing", "scan": "done"}
    (taken,) = night.taken
    assert (taken.kernel, taken.state, taken.run) == (KERNEL_ID, "failed", None)
    assert taken.reason.startswith(f"cannot start '{tmp_path / 'no-python'}'")
    assert diary.read(config.state, "one") == night
    again = a_night(tree, config, "one")
    assert [replace(one, log="") for one in again.taken] == list(night.taken), (
        "what failed is tried again, and listed once"
    )
    assert [step.name for step in again.steps] == [step.name for step in night.steps]
    scanned = [next(step for step in found.steps if step.name == "scan") for found in (night, again)]
    assert scanned[0] == scanned[1], "what was done is not done twice"


def test_our_own_fault_in_one_step_is_kept_with_its_traceback(tree: Path, tmp_path: Path) -> None:
    """A place where the scan's record should go, that is a folder: nothing foresees that."""
    config = load_config(state=tmp_path / "state")
    (config.state / diary.NIGHTS / "one" / diary.SNAPSHOT).mkdir(parents=True)
    night = a_night(tree, config, "one", kernels=0)
    assert states(night) == {**states(night), "scan": "failed", "changes": "skipped", "recheck": "nothing"}
    step = night.ended("scan")
    assert step is not None and step.said.startswith("our own fault: IsADirectoryError: ")
    assert "Traceback" in step.log


def test_an_upstream_that_moved_on_begins_the_night_anew(tree: Path, tmp_path: Path) -> None:
    config = load_config(state=tmp_path / "state", python=tmp_path / "no-python")
    before = a_night(tree, config, "one")
    edit(tree)
    after = a_night(tree, config, "one", minutes=1e-9)
    assert before.taken and not after.taken
    assert after.release != before.release
    step = after.ended("optimize")
    assert step is not None and (step.state, step.said) == ("nothing", "no time was left")


def test_what_cannot_be_fetched_is_said_and_nothing_else_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    night, page = nightly(
        Wanted(upstream="sglang", night="one"), load_config(state=tmp_path / "state"), lambda _line: None
    )
    assert states(night) == {
        "upstream": "failed",
        "scan": "skipped",
        "changes": "skipped",
        "recheck": "skipped",
        "optimize": "skipped",
        "drafts": "nothing",
    }
    assert "the package index cannot be read" in page.read_text()


def test_what_is_neither_a_folder_nor_a_framework_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        nightly(Wanted(upstream="sglan"), load_config(state=tmp_path), lambda _line: None)
    assert str(caught.value) == "sglan: neither a folder nor a framework; name a checkout, or sglang or vllm"


def test_what_is_printed_and_the_summary_that_a_workflow_adds_to(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(state=tmp_path / "state", python=tmp_path / "no-python")
    found, page = nightly(Wanted(upstream=str(tree), night="one"), config, lambda _line: None)
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    assert show.night(found, page, summary, Format.JSON) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["id"], said["summary"]) == ("kmaint.nightly/1", "one", str(page))
    assert summary.read_text() == f"before\n{page.read_text()}"
    assert show.night(replace(found, steps=found.steps[:2]), page, None, Format.TABLE) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["upstream", "done"], ["scan", "done"]]
    assert lines[-1] == f"night one: {page}"


@pytest.mark.slow
def test_a_night_takes_a_kernel_to_a_branch_and_the_next_one_leaves_it(tree: Path, tmp_path: Path) -> None:
    """The whole of it, by the command, with a candidate that launches one warp: nothing is timed, a branch is made."""
    cut = [sys.executable, "-m", "kmaint", "extract", str(tree), "merge_state_kernel", "-o", str(tmp_path / "harness")]
    subprocess.run(cut, check=True, capture_output=True)
    original = next((tmp_path / "harness").glob(f"*/{KERNEL}")).read_text()
    launch = "        output_lse is not None,\n    )"
    assert original.count(launch) == 1
    (tmp_path / "scripts").mkdir()
    candidate = original.replace(launch, f"{launch[:-5]}        num_warps=1,\n    )")
    (tmp_path / "scripts" / "one_warp.py").write_text(candidate)
    words = [
        sys.executable,
        "-m",
        "kmaint",
        "nightly",
        str(tree),
        "--state",
        str(tmp_path / "state"),
        "--format",
        "json",
    ]
    words += ["--provider", "scripted", "--scripted", str(tmp_path / "scripts"), "-q"]
    found = json.loads(subprocess.run([*words, "--night", "one"], capture_output=True, text=True, check=True).stdout)
    (taken,) = found["taken"]
    assert (taken["kernel"], taken["state"], taken["ratio"]) == (KERNEL_ID, "estimated", None)
    assert taken["branch"] in [head.name for head in git.Repo(tree).heads]
    assert Path(taken["patch"]).is_file() and Path(taken["report"]).is_file()
    found = json.loads(subprocess.run([*words, "--night", "two"], capture_output=True, text=True, check=True).stdout)
    assert found["taken"] == []
    assert [step["said"] for step in found["steps"] if step["name"] == "optimize"] == [
        "every kernel worth it was tried as it is"
    ]
