"""The whole road on a real kernel of a released SGLang: one command, killed in the middle, to a branch and a report."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import git
import pytest

from kmaint.folder import KERNEL
from kmaint.records.evaluation import Passed
from kmaint.records.run import Run
from kmaint.store import Store

TREE = Path(__file__).parent / "cases" / "sglang-0.5.17"
FILE = "sglang/kernels/ops/attention/merge_state.py"
COMPANIONS = (
    "test/registered/kernels/benchmark/attention/bench_merge_state_triton.py",
    "test/registered/kernels/ops/attention/test_merge_state_triton_against_float64.py",
)
SCALES_SWAPPED = ("out = p_out * p_scale + s_out * s_scale", "out = p_out * s_scale + s_out * p_scale")
ONE_WARP = ("        output_lse is not None,\n    )", "        output_lse is not None,\n        num_warps=1,\n    )")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The case as a git checkout with one commit."""
    root = Path(shutil.copytree(TREE, tmp_path / "tree"))
    repo = git.Repo.init(root, initial_branch="main")
    repo.git.add(all=True)
    author = git.Actor("A Maintainer", "maintainer@example.org")
    repo.index.commit("SGLang 0.5.17", author=author, committer=author)
    return root


@pytest.fixture
def scripts(tree: Path, tmp_path: Path) -> Path:
    """Two candidates: one that swaps the two scales, and one that launches a single warp."""
    command = [
        sys.executable,
        "-m",
        "kmaint",
        "extract",
        str(tree),
        "merge_state_kernel",
        "-o",
        str(tmp_path / "harness"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    original = next((tmp_path / "harness").glob("*/" + KERNEL)).read_text()
    folder = tmp_path / "scripts"
    folder.mkdir()
    for name, (before, after) in {"a_swapped": SCALES_SWAPPED, "b_one_warp": ONE_WARP}.items():
        assert original.count(before) == 1
        (folder / f"{name}.py").write_text(original.replace(before, after))
    return folder


def start(tree: Path, scripts: Path, state: Path) -> subprocess.Popen[str]:
    words = [
        "maintain",
        str(tree),
        "--kernel",
        "merge_state_kernel",
        "--provider",
        "scripted",
        "--scripted",
        str(scripts),
    ]
    command = [sys.executable, "-m", "kmaint", *words, "--state", str(state)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def the_run(state: Path) -> Run | None:
    if not (state / "state.db").exists():
        return None
    with Store(state) as store:
        return next(iter(store.runs()), None)


def kill_after_the_first_verdict(process: subprocess.Popen[str], state: Path) -> Run:
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline and process.poll() is None:
        if (run := the_run(state)) and run.evaluations:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return run
        time.sleep(0.2)
    out, err = process.communicate(timeout=5)
    pytest.fail(f"no verdict before the end: {out}{err}")


@pytest.mark.timeout(900)
def test_killed_in_the_middle_it_goes_on_and_lands(tree: Path, scripts: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    before = git.Repo(tree).head.commit.hexsha
    first = kill_after_the_first_verdict(start(tree, scripts, state), state)
    assert [one.verdict.kind for one in first.evaluations] == ["wrong"]
    assert [head.name for head in git.Repo(tree).heads] == ["main"]

    process = start(tree, scripts, state)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    run = the_run(state)
    assert run is not None
    assert run.evaluations[0] == first.evaluations[0], "a finished verdict was lost or reached again"
    assert [one.verdict.kind for one in run.evaluations] == ["wrong", "passed"]
    assert run.winner is not None
    assert isinstance(run.winner.verdict, Passed)
    assert run.winner.verdict.timing is None

    repo = git.Repo(tree)
    branch = repo.heads[f"kmaint/{run.id}"]
    assert branch.commit.parents[0].hexsha == before
    assert repo.git.diff("--name-only", before, branch.commit.hexsha).splitlines() == [FILE, *COMPANIONS]
    changed = repo.git.diff("-U0", before, branch.commit.hexsha, "--", FILE)
    added = [line for line in changed.splitlines() if line.startswith("+ ")]
    assert added == ["+        num_warps=1,"]
    assert not repo.is_dirty(untracked_files=True)
    assert repo.head.commit.hexsha == before

    report, text = state / "runs" / run.id / "report.html", state / "runs" / run.id / "pull_request.md"
    assert str(report) in out
    assert branch.name in out
    assert "estimated" in report.read_text()
    assert "faster" not in text.read_text().lower().replace("no claim to be faster", "")

    again = start(tree, scripts, state)
    repeated, _ = again.communicate(timeout=300)
    assert again.returncode == 0
    assert repeated == out
    assert git.Repo(tree).heads[branch.name].commit == branch.commit


def test_a_mutation_run_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    here = Path(__file__).parent
    folder = Path(shutil.copytree(here / "evaluate" / "cases" / "merge_state", tmp_path / "harness"))
    shutil.copytree(here.parent / "extract" / "runtime", folder / "runtime")
    words = [sys.executable, "-m", "kmaint", "mutate", str(folder), "--most", "3", "--format", "json", "--jobs", "1"]
    kept = folder / "mutation.jsonl"
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not kept.is_file() or not kept.read_text().endswith("\n"):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    finished = subprocess.run([*words, "--at-least", "50"], capture_output=True, text=True, check=False)
    said = json.loads(finished.stdout)
    assert said["schema"] == "kmaint.mutate/1"
    assert (said["counts"]["tried"], finished.returncode) == (3, 0)
    assert 1 <= said["counts"]["reused"] < 3
    assert said["score"] == said["counts"]["killed"] / said["changing"] >= 0.5
    again = json.loads(subprocess.run(words, capture_output=True, text=True, check=False).stdout)
    assert again["counts"] == {**said["counts"], "reused": 3}
    (folder / "test_kernel.py").unlink()
    refused = subprocess.run(words, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    expected = f"{folder}: no test_kernel.py in it; write one with 'kmaint testgen {folder}'"
    assert json.loads(refused.stdout)["error"]["message"] == expected.partition("; ")[0]
