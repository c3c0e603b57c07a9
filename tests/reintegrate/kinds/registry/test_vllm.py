"""A custom operator of vLLM's: what is written, what torch makes of it, and when there is none."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import reintegrate
from kmaint.errors import UsageError
from kmaint.records.change import Landing, Patch
from reintegrate.kinds.choosing import choose_again
from reintegrate.kinds.registry import registry_patch
from reintegrate.kinds.win import Declined, Win
from reintegrate.names import bound_names
from reintegrate.patch import splice

TREE = Path(__file__).parents[2] / "cases" / "custom_operator"
DECIDES = Path("vllm/v1/attention/ops/merge_attn_states.py")
SCHEMA = (
    "(Tensor(a0!) output, Tensor prefix_output, Tensor prefix_lse, Tensor suffix_output, Tensor suffix_lse, "
    "Tensor(a5!)? output_lse=None, SymInt? prefill_tokens_with_context=None, Tensor? output_scale=None) -> ()"
)
ON_CUDA = """\
import vllm.platforms
vllm.platforms.current_platform.is_cuda = lambda: True
vllm.platforms.current_platform.is_device_capability = lambda asked: asked == (9, 0)
"""
CALLS = """\
import torch
import vllm.v1.attention.ops.merge_attn_states
from vllm.v1.attention.ops import merge_attn_states_sm90 as beside

T, H, D = 64, 32, 128
torch.manual_seed(0)
given = [torch.randn(T, H, D).bfloat16(), torch.randn(H, T), torch.randn(T, H, D).bfloat16(), torch.randn(H, T)]

def called(operator):
    output, lse = torch.zeros(T, H, D).bfloat16(), torch.zeros(H, T)
    assert operator(output, *given, lse) is None
    return output, lse

operator = torch.ops.vllm.merge_attn_states_sm90
print(operator.default._schema)
shipped = called(beside.merge_attn_states)
def refused(*_):
    raise RuntimeError("the shipped launcher")
beside.merge_attn_states = refused
print(*(torch.equal(ours, theirs) for ours, theirs in zip(called(operator), shipped)))
compiled = torch.compile(lambda *all: called(operator), fullgraph=True, backend="aot_eager")
print(*(torch.equal(ours, theirs) for ours, theirs in zip(compiled(), shipped)))
try:
    operator(torch.zeros(T, H, D).bfloat16(), *given)  # without a log-sum-exp: outside the guard
except RuntimeError as error:
    print(error)
"""


def landed(won: Win, tree: Path) -> Landing:
    patch = reintegrate.with_companions(reintegrate.choose(won, tree), won.harness, tree)
    rules = reintegrate.Rules(python=won.python)
    return reintegrate.land(patch, tree, branch="win", message="A win\n", into=tree.parent / "run", rules=rules)


def said(program: str, tree: Path) -> list[str]:
    """What a program prints that imports the tree's vllm, under the interpreter."""
    words = {"TRITON_INTERPRET": "1", "PYTHONPATH": str(tree)}
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tree, env={**os.environ, **words}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.slow
def test_a_winner_that_serving_would_never_launch_becomes_a_custom_operator(
    won: Win, committed: Callable[[Path], Path], recorded: Callable[[str, str], None]
) -> None:
    tree = committed(TREE)
    landing = landed(won, tree)
    assert (landing.kind, landing.reason) == (
        "registry",
        "registered as torch.ops.vllm.merge_attn_states_sm90; what serves stays as it is, and was not timed against "
        "it; no config: no table of the framework holds this kernel's launch parameters; no edit and no guarded: "
        f"serving calls vllm._custom_ops.merge_attn_states instead ({DECIDES}, where current_platform.is_cuda() and "
        "supported_dtypes(prefix_output) and supported_headdim(prefix_output))",
    )
    recorded("custom_operator.diff", landing.diff[landing.diff.index("diff --git") :])
    assert [(check.name, check.state) for check in landing.checks] == [
        ("outside the guard", "passed"),
        ("the operator's schema", "passed"),
        ("lint", "not_run"),
        ("the framework's own tests", "not_run"),
        ("the new test test_merge_attn_states_sm90_against_float64.py", "passed"),
    ]
    assert landing.checks[1].detail.endswith(f" infers {SCHEMA}; on 8 small cases nothing else was written")
    assert landing.checks[4].detail == "18 passed, 3 skipped under the Triton interpreter"
    subprocess.run(["git", "checkout", "--quiet", "win"], cwd=tree, check=True)
    assert said(ON_CUDA + CALLS, tree) == [
        f"vllm::merge_attn_states_sm90{SCHEMA}",
        "True True",
        "True True",
        "the shipped launcher",
    ]
    elsewhere = "import torch, vllm.v1.attention.ops.merge_attn_states\n"
    assert said(f"{elsewhere}print(hasattr(torch.ops.vllm, 'merge_attn_states_sm90'))", tree) == ["False"]


def test_on_a_tree_that_went_on_it_is_an_operator_again(won: Win, committed: Callable[[Path], Path]) -> None:
    tree = committed(TREE)
    (tree / DECIDES).write_text(
        (tree / DECIDES).read_text().replace("\nimport torch\n", "\nimport os\n\nimport torch\n")
    )
    patch = choose_again("registry", won, tree)
    assert isinstance(patch, Patch)
    [edit] = patch.edits
    assert (edit.path, edit.line) == (str(DECIDES), 8)
    (tree / patch.new[0].path).touch()
    with pytest.raises(UsageError, match=r"merge_attn_states_sm90\.py: stands there already"):
        choose_again("registry", won, tree)
    (tree / patch.new[0].path).rename(tree / "vllm" / "other.py")
    (tree / "vllm" / "other.py").write_text('direct_register_custom_op(op_name="merge_attn_states_sm90")\n')
    subprocess.run(["git", "add", "."], cwd=tree, check=True)
    with pytest.raises(UsageError, match=r"vllm/other\.py registers merge_attn_states_sm90 already"):
        choose_again("registry", won, tree)


def test_a_file_that_does_not_know_its_platform_gets_one_edit_or_two(
    won: Win, committed: Callable[[Path], Path]
) -> None:
    tree = committed(TREE)
    text = (tree / DECIDES).read_text()
    other, later = "from vllm.platforms import CpuPlatform\n", "from vllm.zebra import stripes\n"
    for line, edits in ((other, 1), (other + later, 2)):
        (tree / DECIDES).write_text(text.replace("from vllm.platforms import current_platform\n", line))
        patch = registry_patch(won, tree)
        assert isinstance(patch, Patch)
        assert len(patch.edits) == edits
        after = splice((tree / DECIDES).read_text(), patch.edits)
        above, _, below = after.partition("if current_platform.is_cuda():\n")
        assert "current_platform" in bound_names(above)
        assert "import merge_attn_states_sm90  # noqa: F401\n" in below


def test_without_what_it_needs_there_is_no_operator(won: Win, committed: Callable[[Path], Path]) -> None:
    tree = committed(TREE)
    assert registry_patch(replace(won, python=None), tree) == Declined(
        "torch has to infer the operator's schema, and no interpreter was given"
    )
    launches = tree / "vllm" / "v1" / "attention" / "ops" / "triton_merge_attn_states.py"
    text = launches.read_text()
    launches.write_text(
        text.replace("import torch\n", "import torch\nimport vllm.v1.attention.ops.merge_attn_states\n", 1)
    )
    assert registry_patch(won, tree) == Declined(
        f"{DECIDES} cannot import its module, which comes back to that file by way of "
        "vllm.v1.attention.ops.triton_merge_attn_states"
    )
    launches.write_text(text)
    (tree / DECIDES).write_text("from vllm.v1.attention.ops.triton_merge_attn_states import merge_attn_states\n")
    assert registry_patch(won, tree) == Declined(
        "nothing in the tree calls another operator instead, so nothing would import this one"
    )
    (tree / "vllm" / "utils" / "torch_utils.py").unlink()
    assert registry_patch(won, tree) == Declined("the tree has no direct_register_custom_op in vllm.utils.torch_utils")


def test_a_framework_without_a_registry_is_told_so(won: Win, tmp_path: Path) -> None:
    origin = replace(won.harness.provenance, framework="other")
    assert registry_patch(replace(won, harness=replace(won.harness, provenance=origin)), tmp_path) == Declined(
        "kmaint knows no registry of other"
    )
