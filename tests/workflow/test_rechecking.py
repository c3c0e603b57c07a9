"""Wins on an upstream that went on: each of the six answers, on real trees and by the real gate."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import extract
from kmaint import wire, workflow
from kmaint.config import Config
from kmaint.errors import UsageError
from kmaint.folder import sha256
from kmaint.records.evaluation import Dishonest, Evaluation, Passed, Verdict, Wrong
from kmaint.records.timing import Interval
from kmaint.workflow.rechecking import meaning_of, standing
from tests.landed import Landed
from tests.reports.conftest import H200, KEPT, judged, passed, rungs, timing

FILE = "sglang/kernels/ops/attention/merge_state.py"
Change = Callable[[str], str]


def upstream(tree: Path, change: Change) -> Path:
    """A newer release of the tree, as a checkout of its own with something uncommitted in it."""
    newer = tree.with_name("newer")
    subprocess.run(["git", "clone", "--quiet", str(tree), str(newer)], check=True)
    file = newer / FILE
    before = file.read_text()
    file.write_text(change(before))
    assert file.read_text() != before
    subprocess.run(["git", "commit", "--quiet", "--all", "--message=Newer"], cwd=newer, check=True)
    (newer / "LICENSE").write_text("being edited\n")
    return newer


def state(tree: Path) -> list[str]:
    """What a user can see of a checkout and its repository."""
    shown = ("status --porcelain", "for-each-ref", "worktree list", "stash list")
    said = [subprocess.run(["git", *words.split()], cwd=tree, capture_output=True, check=True) for words in shown]
    files = [path for path in sorted(tree.rglob("*")) if path.is_file() and ".git" not in path.parts]
    return [*(str(one.stdout) for one in said), *(f"{path} {sha256(path.read_bytes())}" for path in files)]


def recheck(landed: Landed, tree: Path) -> workflow.Rechecked:
    before = state(tree)
    [found] = workflow.recheck(tree, without_gpu(landed), lambda line: None)
    assert state(tree) == before
    return found


def without_gpu(landed: Landed) -> Config:
    return landed.config.model_copy(update={"device": "none"})


def test_a_kernel_that_is_gone_is_looked_for_and_the_answer_kept(landed: Landed, tree: Path) -> None:
    newer = upstream(tree, lambda text: text.replace("merge_state_kernel", "merge_two_states_kernel"))
    found = recheck(landed, newer)
    assert (found.step.state, found.step.said) == (
        "gone",
        f"no {landed.run.kernel} any more; names like it: {FILE}::merge_two_states_kernel",
    )
    again = recheck(landed, newer)
    assert again.step == found.step
    [win] = workflow.all_wins(landed.config)
    assert [step.state for step in win.history] == ["landed", "gone"]
    with pytest.raises(UsageError) as error:
        workflow.recheck(newer, landed.config, lambda line: None, ids=["nothing"])
    assert str(error.value) == f"no win 'nothing' in {landed.state}; see 'kmaint ledger'"


def test_what_this_machine_cannot_judge_is_asked_again(landed: Landed, tree: Path, tmp_path: Path) -> None:
    """Its interpreter has no torch: the patch applies, and more is not known."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    newer, said = upstream(tree, lambda text: f"{text}\n# Newer.\n"), list[str]()
    config = without_gpu(landed).model_copy(update={"python": tmp_path / "bare" / "bin" / "python"})
    for _ in range(2):
        [found] = workflow.recheck(newer, config, said.append)
        assert found.step.state == "unjudged"
        assert found.step.said.startswith("applies as it was, but cannot be judged here: ")
        assert "torch" in found.step.said
        patch = Path(found.step.written[0])
        assert found.next_step == f"run the same with a GPU or the framework (--python); the patch to judge is {patch}"
        subprocess.run(["git", "apply", "--check", str(patch)], cwd=newer, check=True)
    [win] = workflow.all_wins(landed.config)
    assert [step.state for step in win.history] == ["landed", "unjudged", "unjudged"]
    assert not win.retired


def edited(before: str, after: str) -> Change:
    return lambda text: text.replace(before, after)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "answer", "said"),
    [
        (edited("import torch\n", "import torch\n\n# Newer.\n"), "holds", "applies as it was; right ("),
        (edited("tl.exp(p_lse) / out_se", "tl.exp2(p_lse) / out_se"), "conflicts", "upstream and the win both changed"),
        (edited("num_tokens = output", "tokens = num_tokens = output"), "holds", "applies with upstream's own changes"),
    ],
)
def test_a_win_is_carried_over_and_judged_again(
    change: Change, answer: str, said: str, landed: Landed, tree: Path
) -> None:
    found = recheck(landed, upstream(tree, change))
    assert (found.step.state, found.step.said[: len(said)]) == (answer, said)
    assert answer != "holds" or found.step.said.endswith("not timed: there was no GPU")
    assert all(Path(path).is_file() for path in found.step.written)
    if answer == "holds":
        kept = wire.load(Evaluation, json.loads(Path(found.step.written[-1]).read_text()))
        assert isinstance(kept.verdict, Passed)


@pytest.mark.slow
def test_an_upstream_that_took_the_edit_has_overtaken_the_win(landed: Landed, tree: Path) -> None:
    newer = tree.with_name("newer")
    subprocess.run(["git", "clone", "--quiet", "--branch", landed.landing.branch, str(tree), str(newer)], check=True)
    assert recheck(landed, newer).step.said == "upstream has the edit already"
    assert workflow.recheck(newer, landed.config, lambda line: None) == [], "it is retired"


def moved(tree: Path, *folders: str) -> Path:
    """A newer release in which the kernel's file lies in these folders instead, and in none where there are none."""
    newer = tree.with_name("newer")
    subprocess.run(["git", "clone", "--quiet", str(tree), str(newer)], check=True)
    old = newer / FILE
    for name in folders:
        (folder := newer / "sglang" / "kernels" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(old, folder)
    old.unlink()
    subprocess.run(["git", "add", "--all"], cwd=newer, check=True)
    subprocess.run(["git", "commit", "--quiet", "--message=Newer"], cwd=newer, check=True)
    return newer


@pytest.mark.parametrize(
    ("folders", "place"),
    [
        (["merging"], "sglang/kernels/merging/merge_state.py"),
        (["merging", "joining"], None),
        ([], None),
        (["ops/attention"], FILE),
    ],
)
def test_a_kernel_is_followed_to_the_one_file_of_that_name(tree: Path, folders: list[str], place: str | None) -> None:
    newer = tree if folders == ["ops/attention"] else moved(tree, *folders)
    found = standing(f"{FILE}::merge_state_kernel", extract.scan_tree(newer))
    assert (found and found.path) == place


@pytest.mark.parametrize(
    ("files", "place"),
    [
        (["layers/merging.py"], "layers/merging.py"),
        (["layers/merging.py", "layers/joining.py"], None),
        (["layers/merging.py", "layers/merge_state.py"], "layers/merge_state.py"),
        (["layers/rocm.py"], None),
        (["layers/rocm.py", "layers/merging.py"], "layers/merging.py"),
        (["test/reference.py"], None),
    ],
)
def test_a_kernel_is_followed_to_a_file_of_another_name_where_it_is_the_only_one(
    tree: Path, files: list[str], place: str | None
) -> None:
    """As `fused_rmsnorm_kernel` from SGLang 0.5.17 to 0.5.23; not to one that was beside it, or tests it."""
    newer = moved(tree, "layers")
    text = (newer / "sglang/kernels/layers/merge_state.py").read_text()
    (newer / "sglang/kernels/layers/merge_state.py").unlink()
    for file in files:
        (newer / "sglang/kernels" / file).parent.mkdir(exist_ok=True)
        (newer / "sglang/kernels" / file).write_text(text)
    name, scan = f"{FILE}::merge_state_kernel", extract.scan_tree(newer)
    found = standing(name, scan, ["sglang/kernels/layers/rocm.py::merge_state_kernel"])
    assert (found and found.path) == (place and f"sglang/kernels/{place}")
    unknown = standing(name, scan)
    assert (unknown and unknown.path) == (found and found.path if "layers/merge_state.py" in files else None)


def test_a_namesake_in_a_file_of_that_name_is_not_the_kernel_either(tree: Path) -> None:
    scan, name = extract.scan_tree(moved(tree, "merging")), f"{FILE}::merge_state_kernel"
    beside = "sglang/kernels/merging/merge_state.py"
    assert standing(name, scan, [f"{beside}::merge_state_kernel"]) is None
    found = standing(name, scan, [])
    assert found and found.path == beside


def test_a_kernel_is_not_followed_into_another_language(tree: Path) -> None:
    assert standing("csrc/merging.cuh::merge_state_kernel", extract.scan_tree(tree), []) is None


CUDA_FILE = "sglang/kernels/jit/csrc/scaled.cuh"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("namespace sglang {{ {kernel} }}", "sglang::scaled_kernel"),
        ("namespace {{ {kernel} }}", "scaled_kernel"),
        ("namespace a {{ {kernel} }} namespace b {{ {kernel} }}", None),
        ("namespace sglang {{ }}", None),
    ],
)
def test_a_kernel_is_followed_into_a_namespace_of_its_file(tree: Path, text: str, name: str | None) -> None:
    """As from SGLang 0.5.17 to 0.5.23."""
    kernel = "__global__ void scaled_kernel(float* out, float scale) { out[threadIdx.x] *= scale; }"
    (tree / CUDA_FILE).parent.mkdir(parents=True, exist_ok=True)
    (tree / CUDA_FILE).write_text(text.format(kernel=kernel))
    found = standing(f"{CUDA_FILE}::scaled_kernel", extract.scan_tree(tree))
    assert (found and found.id) == (name and f"{CUDA_FILE}::{name}")


@pytest.mark.slow
def test_a_win_follows_its_file(landed: Landed, tree: Path) -> None:
    step = recheck(landed, moved(tree, "merging")).step
    assert (step.state, step.said.partition(";")[0]) == ("holds", "moved to sglang/kernels/merging/merge_state.py")
    assert "diff --git a/sglang/kernels/merging/merge_state.py" in Path(step.written[0]).read_text()


FASTER = timing(((4.1, 3.1, None), (21.4, 18.9, None), (101.3, 98.6, None)), Interval(ratio=1.13, low=1.12, high=1.14))
SAME = replace(FASTER, speedup=Interval(ratio=1.001, low=0.998, high=1.004))
LOSING = timing(((4.1, 4.6, None), (21.4, 18.9, None), (101.3, 88.6, None)), Interval(ratio=1.1, low=1.09, high=1.11))
UNSURE = replace(SAME, speedup=Interval(ratio=1.1, low=0.95, high=1.25), noise_floor=0.08)
DOUBTED = Dishonest(
    reason="T64: claims 2.50x, and takes as long as 2.83x by the clock outside", codes=("clock_disagrees",)
)
WRONG = Wrong(reason="return[0] is 0.5,\n not 0.25", codes=("mismatch",))


@pytest.mark.parametrize(
    ("verdict", "changed", "state", "said"),
    [
        (passed(FASTER, win=True), True, "holds", "right (rounding-only); 1.130x (1.120 to 1.140) on NVIDIA H200"),
        (
            passed(SAME, win=False),
            True,
            "overtaken",
            "on NVIDIA H200: no gain beyond the noise floor of 1.0%, so upstream's own is as fast",
        ),
        (passed(SAME, win=False), False, "regressed", "NVIDIA H200: no gain beyond the noise floor of 1.0%"),
        (passed(LOSING, win=False), True, "regressed", "1.100x (1.090 to 1.110) on NVIDIA H200: T64 loses: 0.89x"),
        (passed(None, win=False), True, "holds", "right (rounding-only); not timed: there was no GPU"),
        (
            passed(UNSURE, win=False),
            True,
            "unjudged",
            "on NVIDIA H200: no gain beyond the noise floor of 8.0%, by a clock too unsure to tell",
        ),
        (WRONG, False, "regressed", "wrong: return[0] is 0.5, not 0.25"),
        (DOUBTED, False, "unjudged", "dishonest: T64: claims 2.50x, and takes as long as 2.83x by the clock outside"),
    ],
)
def test_the_gates_verdict_decides(verdict: Verdict, changed: bool, state: str, said: str) -> None:
    found = meaning_of(judged(KEPT, verdict, rungs("profile"), H200), changed=changed)
    assert found[0] == state
    assert found[1].endswith(said)
