from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from extract.scan import find_kernel, scan_tree
from extract.slicer import choose_launcher, extract_kernel
from kmaint.child import run_child
from kmaint.errors import UsageError
from kmaint.folder import read_harness, sha256, split_regions

WriteTree = Callable[[dict[str, str]], Path]


def test_a_real_kernel_stands_alone_and_runs(sglang_tree: Path, tmp_path: Path) -> None:
    scan = scan_tree(sglang_tree)
    kernel = find_kernel(scan, "fused_rmsnorm_kernel")
    (tmp_path / "out/sglang-fused-rmsnorm-kernel").mkdir(parents=True)
    (tmp_path / "out/sglang-fused-rmsnorm-kernel/stale.txt").write_text("of an older extraction")
    done = extract_kernel(sglang_tree, scan, kernel, tmp_path / "out")
    assert (done.state, done.reason) == ("ready", "")
    assert done.folder == tmp_path / "out/sglang-fused-rmsnorm-kernel"
    assert sorted(path.name for path in done.folder.iterdir()) == [
        "README.md",
        "harness.toml",
        "kernel.py",
        "reference.py",
        "runtime",
        "shims.py",
        "workloads.json",
    ]
    assert [path.name for path in done.folder.parent.iterdir()] == ["sglang-fused-rmsnorm-kernel"]
    harness = read_harness(done.folder)
    assert (harness.id, harness.entry) == (kernel.id, "fused_rmsnorm")
    assert [stub.symbol for stub in harness.stubs] == ["sglang.srt.utils.common.is_hip"]
    texts = split_regions((done.folder / "kernel.py").read_text())
    for region in harness.regions:
        lines = (sglang_tree / region.path).read_text().splitlines(keepends=True)
        assert texts[region.path, region.symbol] == "".join(lines[region.line - 1 : region.end_line])
        assert sha256(texts[region.path, region.symbol]) == region.sha256
    path = "sglang/kernels/ops/elementwise/elementwise.py"
    assert harness.provenance.files == {path: sha256((sglang_tree / path).read_bytes())}


def test_an_interpreter_without_torch_is_said_so(sglang_tree: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    run_child([sys.executable, "-m", "venv", "--without-pip", bare], timeout_s=120)
    python = str(bare / "bin/python")
    scan = scan_tree(sglang_tree)
    done = extract_kernel(sglang_tree, scan, find_kernel(scan, "merge_state_kernel"), tmp_path / "out", python=python)
    assert (done.state, done.reason) == ("imports", f"no torch in {python}, so nothing was run")


LAUNCHED_BY_METHOD = """
import triton
@triton.jit
def kernel(x): ...
class Layer:
    def forward(self, x):
        kernel[(1,)](x)
"""


def test_a_launch_that_needs_an_object_is_stopped(write_tree: WriteTree, tmp_path: Path) -> None:
    tree = write_tree({"vllm/a.py": LAUNCHED_BY_METHOD})
    scan = scan_tree(tree)
    done = extract_kernel(tree, scan, scan.kernels[0], tmp_path / "out")
    assert (done.state, done.folder, done.reason) == (
        "stopped",
        None,
        "Layer.forward: kernel is launched only by this method, which needs its object",
    )
    assert not (tmp_path / "out").exists()


def test_a_launcher_that_does_not_launch_is_refused(sglang_tree: Path) -> None:
    kernel = find_kernel(scan_tree(sglang_tree), "fused_rmsnorm_kernel")
    with pytest.raises(UsageError) as caught:
        choose_launcher(kernel, "rmsnorm")
    assert str(caught.value) == (
        "'rmsnorm' is no plain function that launches fused_rmsnorm_kernel; these do: fused_rmsnorm"
    )
