"""A winner in CUDA C++ that loses somewhere stands beside the shipped code, of which no line is changed."""

import difflib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import reintegrate
from kmaint.errors import UsageError
from kmaint.folder import sha256
from kmaint.records.change import Landing, Patch
from reintegrate.kinds.cuda.guarded import guarded_patch, trap
from reintegrate.kinds.guard import Guard, guard_of
from reintegrate.kinds.win import Declined
from reintegrate.patch import splice
from tests.reintegrate.kinds.cuda.conftest import OPERATORS, Landable

FIRST = "  const scalar_t* x_ptr = input + blockIdx.x * 2 * d;\n"
CUBLAS = "#pragma once\ntypedef void* cublasHandle_t;\n"


def patch_of(one: Landable) -> Patch:
    found = guarded_patch(one.win, one.tree)
    assert isinstance(found, Patch)
    return found


def added(one: Landable) -> str:
    after = splice(one.original, patch_of(one).edits)
    lines = list(difflib.ndiff(one.original.splitlines(), after.splitlines()))
    assert not [line for line in lines if line.startswith("- ")]
    return "".join(f"{line[2:]}\n" for line in lines if line.startswith("+ "))


@pytest.mark.parametrize("name", OPERATORS)
def test_no_shipped_line_is_changed_and_a_branch_leads_to_the_variant(
    name: str, landable: Callable[[str], Landable], recorded: Callable[[str, str], None]
) -> None:
    recorded(f"{name}.cu", added(landable(name)))


def test_a_trap_is_the_landed_file_but_for_what_the_branch_does(landable: Callable[[str], Landable]) -> None:
    one = landable("silu_and_mul")
    patch = patch_of(one)
    landed, found = splice(one.original, patch.edits), trap(one.win, patch)
    before, after = landed.splitlines(), found.source.splitlines()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    changed = [(before[a:b], after[c:d]) for what, a, b, c, d in matcher.get_opcodes() if what != "equal"]
    assert changed == [
        ([], ["#include <stdexcept>"]),
        (["    silu_and_mul_sm90(out, input);", "    return;"], [f'    throw std::overflow_error("{found.said}");']),
    ]
    guard = guard_of(one.win)
    assert isinstance(guard, Guard)
    assert guard.admits(found.inside) and not any(guard.admits(axes) for axes in found.outside)
    lost = [one.axes for one in one.win.harness.contract.workloads if not guard.admits(one.axes)]
    assert all(axes in found.outside for axes in lost) and len(found.outside) > len(lost)


def test_only_what_leads_to_a_change_is_there_twice(landable: Callable[[str], Landable]) -> None:
    text = added(landable("silu_and_mul"))
    assert "packed_compute_sm90" not in text
    assert "mul_and_silu_sm90" not in text
    assert "\nstatic void silu_and_mul_sm90(" in text
    assert '"silu_and_mul_parts_kernel"' in text


def test_a_kernel_of_several_operators_has_a_variant_for_the_one_that_was_measured(
    landable: Callable[[str], Landable],
) -> None:
    one = landable("silu_and_mul")
    found = guarded_patch(one.with_source((FIRST, FIRST.replace("input +", "&input[0] +"))), one.tree)
    assert isinstance(found, Patch)
    after = splice(one.original, found.edits)
    assert "act_and_mul_kernel_sm90(" in after
    assert "#define LAUNCH_ACTIVATION_GATE_KERNEL_sm90(" in after
    assert len(re.findall(r"LAUNCH_ACTIVATION_GATE_KERNEL_sm90\(\s*vllm::silu_kernel", after)) == 1
    shipped = "  LAUNCH_ACTIVATION_GATE_KERNEL(vllm::silu_kernel"
    assert after.count(shipped) == one.original.count(shipped)


def test_an_edit_is_declined_with_the_workload_that_loses(landable: Callable[[str], Landable]) -> None:
    one = landable("silu_and_mul")
    patch = reintegrate.choose(one.win, one.tree)
    assert (patch.kind, set(patch.files)) == ("guarded", {one.win.harness.provenance.path})
    slower = "on num_tokens4096-intermediate_size14336 it is 0.90x as fast as the original"
    assert patch.reason.endswith(f"no edit: {slower}")


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (
            ("\nvoid silu_and_mul(", "\nusing namespace vllm;\nvoid silu_and_mul("),
            "it changes 'using namespace vllm;', which is no definition that could stand there twice",
        ),
        (("  pvec_t x, y;\n", "  pvec_t x, y = x.divided;\n"), "divided is a member's name too, so it"),
        (("float divided(", "float cast_to_float2("), "cast_to_float2 is defined in a header as well"),
        (("  pvec_t x, y;\n", "}\n"), "its file cannot be told apart into definitions: "),
    ],
)
def test_what_cannot_stand_there_twice_is_declined(
    edit: tuple[str, str], why: str, landable: Callable[[str], Landable]
) -> None:
    one = landable("silu_and_mul")
    found = guarded_patch(one.with_source(edit), one.tree)
    assert isinstance(found, Declined)
    assert found.reason.startswith(why)


def test_an_earlier_variant_is_not_written_over(landable: Callable[[str], Landable], tmp_path: Path) -> None:
    one = landable("silu_and_mul")
    folder = Path(shutil.copytree(one.win.harness.folder, tmp_path / "harness", symlinks=True))
    taken = one.original + "// As silu_and_mul_sm90 does.\n"
    (folder / "kernel.cu").write_text(taken)
    origin = one.win.harness.provenance
    origin = replace(origin, files={**origin.files, origin.path: sha256(taken)})
    harness = replace(one.win.harness, folder=folder, provenance=origin)
    with pytest.raises(UsageError, match="'silu_and_mul_sm90' stands in it already; an earlier variant is there"):
        guarded_patch(replace(one.win, harness=harness), one.tree)


def committed(one: Landable, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder / "gitconfig").write_text("[user]\n\tname = A Maintainer\n\temail = maintainer@example.com\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    tree = Path(shutil.copytree(one.tree, folder / "tree"))
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=As released")):
        subprocess.run(["git", *words], cwd=tree, check=True)
    return tree


def landed(one: Landable, tree: Path) -> Landing:
    patch = reintegrate.with_companions(reintegrate.choose(one.win, tree), one.win.harness, tree)
    return reintegrate.land(patch, tree, branch="win", message="A win\n", into=tree.parent / "run")


@pytest.mark.parametrize("name", OPERATORS)
def test_it_lands_and_applies_three_ways_on_what_upstream_changed_since(
    name: str, landable: Callable[[str], Landable], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = landable(name)
    tree = committed(one, tmp_path, monkeypatch)
    landing = landed(one, tree)
    assert landing.kind == "guarded"
    assert [check.state for check in landing.checks] == ["not_run"] * len(landing.checks)
    file = tree / one.win.harness.provenance.path
    upstream = re.sub(r"^namespace", "// Upstream's own.\n\nnamespace", file.read_text(), count=1, flags=re.MULTILINE)
    file.write_text(f"{upstream}\n// And more.\n")
    subprocess.run(["git", "commit", "--quiet", "--all", "--message=Upstream"], cwd=tree, check=True)
    subprocess.run(["git", "apply", "--3way", landing.patch_file], cwd=tree, check=True)
    assert f"use_{'FusedAddRMSNormKernel' if name == 'fused_add_rmsnorm' else name}_sm90" in file.read_text()
    assert "\n// Upstream's own.\n" in file.read_text()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc on PATH")
@pytest.mark.parametrize("trapped", [False, True])
@pytest.mark.parametrize("name", ["rotary_embedding", "silu_and_mul"])
def test_the_patched_file_compiles(
    name: str, trapped: bool, landable: Callable[[str], Landable], tmp_path: Path
) -> None:
    one = landable(name)
    tree = Path(shutil.copytree(one.tree, tmp_path / "tree"))
    file = tree / one.win.harness.provenance.path
    patch = patch_of(one)
    file.write_text(trap(one.win, patch).source if trapped else splice(one.original, patch.edits))
    (tmp_path / "cublas_v2.h").write_text(CUBLAS)
    include = Path(torch.__file__).parent / "include"
    folders = [f"-I{folder}" for folder in (tree / "csrc", include, include / "torch/csrc/api/include", tmp_path)]
    flags = ["-std=c++20", "-O0", "--expt-relaxed-constexpr", "--expt-extended-lambda", "-DUSE_CUDA", "-arch=sm_90"]
    target = ["-DTORCH_TARGET_VERSION=0x020b000000000000", "-c", str(file), "-o", str(tmp_path / "x.o")]
    done = subprocess.run(["nvcc", *flags, *folders, *target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_harness_whose_operator_is_registered_nowhere_has_no_place_for_a_branch(
    landable: Callable[[str], Landable],
) -> None:
    one = landable("silu_and_mul")
    (one.win.harness.folder / "binding.cu").rename(one.win.harness.folder / "away.cu")
    try:
        with pytest.raises(UsageError, match="guarded: no registration of _C::silu_and_mul names its function"):
            reintegrate.choose(one.win, one.tree)
    finally:
        (one.win.harness.folder / "away.cu").rename(one.win.harness.folder / "binding.cu")
