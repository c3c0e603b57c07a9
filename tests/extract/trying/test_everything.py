from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from extract.scan import find_kernel, scan_tree
from extract.trying.everything import Sources, Wanted, extract_all, extract_kernel
from kmaint.child import run_child
from kmaint.folder import indented, read_harness, sha256, split_regions
from testgen import write_suite

WriteTree = Callable[[dict[str, str]], Path]


def test_a_real_kernel_stands_alone_and_passes_its_smoke_example(sglang_tree: Path, tmp_path: Path) -> None:
    scan = scan_tree(sglang_tree)
    kernel = find_kernel(scan, "fused_rmsnorm_kernel")
    (tmp_path / "out/sglang-fused-rmsnorm-kernel").mkdir(parents=True)
    (tmp_path / "out/sglang-fused-rmsnorm-kernel/stale.txt").write_text("of an older extraction")
    done = extract_kernel(sglang_tree, scan, Wanted(kernel=kernel), tmp_path / "out", write_suite)
    assert (done.state, done.reason, done.level) == ("ready", "", "launcher")
    assert done.folder == tmp_path / "out/sglang-fused-rmsnorm-kernel"
    assert sorted(path.name for path in done.folder.iterdir()) == [
        "README.md",
        "harness.toml",
        "kernel.py",
        "reference.py",
        "runtime",
        "shims.py",
        "test_kernel.py",
        "workloads.json",
    ]
    assert [path.name for path in done.folder.parent.iterdir()] == ["sglang-fused-rmsnorm-kernel"]
    harness = read_harness(done.folder)
    assert (harness.id, harness.entry) == (kernel.id, "fused_rmsnorm")
    assert [stub.symbol for stub in harness.stubs] == ["sglang.srt.utils.common.is_hip"]
    assert_regions_are_the_trees(done.folder, sglang_tree)
    path = "sglang/kernels/ops/elementwise/elementwise.py"
    assert harness.provenance.files == {path: sha256((sglang_tree / path).read_bytes())}


def assert_regions_are_the_trees(folder: Path, tree: Path) -> None:
    texts = split_regions((folder / "kernel.py").read_text())
    for region in read_harness(folder).regions:
        lines = (tree / region.path).read_text().splitlines(keepends=True)
        text = indented(texts[region.path, region.symbol], region.indent)
        assert text == "".join(lines[region.line - 1 : region.end_line])
        assert sha256(text) == region.sha256


def test_an_interpreter_without_torch_is_said_so(sglang_tree: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    run_child([sys.executable, "-m", "venv", "--without-pip", bare], timeout_s=120)
    python = str(bare / "bin/python")
    scan = scan_tree(sglang_tree)
    wanted = Wanted(kernel=find_kernel(scan, "merge_state_kernel"))
    done = extract_kernel(sglang_tree, scan, wanted, tmp_path / "out", write_suite, python=python)
    assert (done.state, done.reason) == ("imports", f"no torch in {python}, so nothing was run")


LAUNCHED_BY_METHOD = """
import triton
import triton.language as tl

class Layer:
    @staticmethod
    @triton.heuristics({"EVEN": lambda given: given["n"] % 2 == 0})
    @triton.jit
    def _add_one(x_ptr, n, EVEN: tl.constexpr, BLOCK: tl.constexpr = 16):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        tl.store(x_ptr + at, tl.load(x_ptr + at, mask=at < n) + 1, mask=at < n)

    def forward(self, x):
        self._add_one[(triton.cdiv(x.numel(), 16),)](x, x.numel())
"""


def test_a_launch_that_needs_an_object_gives_way_to_the_kernel_itself(write_tree: WriteTree, tmp_path: Path) -> None:
    tree = write_tree({"vllm/a.py": LAUNCHED_BY_METHOD})
    scan = scan_tree(tree)
    done = extract_kernel(tree, scan, Wanted(kernel=scan.kernels[0]), tmp_path / "out", write_suite)
    reason = "Layer.forward: _add_one is launched only by this method, which needs its object"
    assert done.folder is not None
    assert (done.level, done.no_launcher) == ("kernel", reason)
    assert_regions_are_the_trees(done.folder, tree)
    harness = read_harness(done.folder)
    assert (harness.entry, harness.kernel, harness.level) == ("launch_add_one", "_add_one", "kernel")
    assert "def launch_add_one(x_ptr, n, BLOCK=16, *, grid, num_warps=4, num_stages=3):" in (
        (done.folder / "kernel.py").read_text()
    )


WITH_TEST = {
    "vllm/a.py": (
        "import torch\nimport triton\nimport triton.language as tl\n\n@triton.jit\n"
        "def _double_kernel(x, out, n, BLOCK: tl.constexpr):\n    at = tl.arange(0, BLOCK)\n"
        "    rows = tl.program_id(0) * n + at\n    tl.store(out + rows, tl.load(x + rows, at < n) * 2, at < n)\n\n"
        "def double(x, out):\n    num_tokens, hidden = x.shape\n"
        "    _double_kernel[(num_tokens,)](x, out, hidden, BLOCK=triton.next_power_of_2(hidden))\n"
    ),
    "tests/test_a.py": (
        "import pytest\nimport torch\nfrom vllm.a import double\n\n"
        "@pytest.mark.parametrize('num_tokens', [1, 7])\n@pytest.mark.parametrize('hidden', [96, 128])\n"
        "def test_double(num_tokens, hidden):\n    x = torch.randn(num_tokens, hidden, device='cuda')\n"
        "    double(x, torch.empty_like(x))\n"
    ),
}


def test_workloads_come_from_the_frameworks_own_tests(write_tree: WriteTree, tmp_path: Path) -> None:
    tree = write_tree(WITH_TEST)
    scan, said, sources = scan_tree(tree), list[str](), Sources(tests=True)
    wanted = Wanted(kernel=find_kernel(scan, "_double_kernel"))
    done = extract_kernel(tree, scan, wanted, tmp_path / "out", write_suite, sources=sources, progress=said.append)
    assert (done.state, done.reason, said) == ("ready", "", [])
    assert done.folder is not None
    contract = read_harness(done.folder).contract
    assert {one.source for one in contract.workloads if not one.weight} == {
        f"tests/test_a.py::test_double[num_tokens={tokens}-hidden={hidden}]"
        for hidden in (96, 128)
        for tokens in (1, 7)
    }
    assert {one.origin for one in contract.timed} == {"model config"}
    assert "not timed; framework test: tests/test_a.py::test_double" in (done.folder / "test_kernel.py").read_text()


NEEDS_MORE = """
import triton
import triton.language as tl
{imported}
@triton.jit
def kernel(x_ptr):
    tl.store(x_ptr, {value})
def launch(x):
    kernel[(1,)](x)
"""


@pytest.mark.parametrize(
    ("imported", "value", "reason"),
    [
        (
            "from einops import rearrange",
            "rearrange(1)",
            "einops.rearrange: from a package that a harness may not need",
        ),
        ("import torch\nLIMIT = torch.no_such", "LIMIT", "AttributeError: module 'torch' has no attribute 'no_such'"),
    ],
)
def test_what_cannot_stand_alone_is_stopped_with_the_symbol(
    write_tree: WriteTree, tmp_path: Path, imported: str, value: str, reason: str
) -> None:
    tree = write_tree({"vllm/a.py": NEEDS_MORE.format(imported=imported, value=value)})
    scan = scan_tree(tree)
    done = extract_kernel(tree, scan, Wanted(kernel=scan.kernels[0]), tmp_path / "out", write_suite)
    assert (done.state, done.folder, done.level) == ("stopped", None, None)
    assert done.reason.endswith(reason)
    assert not list((tmp_path / "out").iterdir())


def test_all_of_a_tree_is_extracted_once_and_what_changed_again(sglang_tree: Path, tmp_path: Path) -> None:
    out, scan = tmp_path / "out", scan_tree(sglang_tree)
    (out / ".sglang-merge-state-kernel-12345678" / "harness").mkdir(parents=True)  # what a killed call left
    first = list(extract_all(sglang_tree, scan, out, write_suite, processes=2))
    assert {ended.id for ended, _ in first} == {one.id for one in scan.kernels if one.role == "kernel"}
    assert {(ended.state, known) for ended, known in first} == {("ready", False)}
    assert sorted(path.name for path in out.iterdir()) == [
        ".kmaint-extract.jsonl",
        ".kmaint-extract.lock",
        "sglang-fused-dual-residual-rmsnorm-kernel",
        "sglang-fused-rmsnorm-kernel",
        "sglang-merge-state-kernel",
    ]
    path = sglang_tree / "sglang/kernels/ops/attention/merge_state.py"
    path.write_text(f"{path.read_text()}\n")
    again = list(extract_all(sglang_tree, scan_tree(sglang_tree), out, write_suite, processes=2))
    assert sorted((ended.id.partition("::")[2], known) for ended, known in again) == [
        ("fused_dual_residual_rmsnorm_kernel", True),
        ("fused_rmsnorm_kernel", True),
        ("merge_state_kernel", False),
    ]
    assert {ended.folder for ended, _ in again} == {ended.folder for ended, _ in first}
