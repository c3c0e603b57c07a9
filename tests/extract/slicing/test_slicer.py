from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extract.scan import find_kernel, scan_tree
from extract.slicing.modules import Library
from extract.slicing.pieces import StoppedError
from extract.slicing.slicer import choose_launcher, cut_alone, definition, slugs
from extract.tree import locate
from kmaint.errors import UsageError

WriteTree = Callable[[dict[str, str]], Path]

LAUNCHED = """
import triton
@triton.jit
def kernel(x): ...
def launch(x):
    kernel[(1,)](x)
"""


def test_a_launcher_that_does_not_launch_is_refused(sglang_tree: Path) -> None:
    kernel = find_kernel(scan_tree(sglang_tree), "fused_rmsnorm_kernel")
    with pytest.raises(UsageError) as caught:
        choose_launcher(kernel, "rmsnorm")
    assert str(caught.value) == (
        "'rmsnorm' is no plain function that launches fused_rmsnorm_kernel; these do: fused_rmsnorm"
    )


def test_a_test_is_no_launcher(write_tree: WriteTree) -> None:
    launch = LAUNCHED.partition("def launch")
    test = "from vllm.a import kernel\ndef launch(x):\n    kernel[(1,)](x)\n"
    tree = write_tree({"vllm/a.py": launch[0], "tests/test_a.py": test})
    (kernel,) = scan_tree(tree).kernels
    with pytest.raises(StoppedError) as caught:
        choose_launcher(kernel)
    assert str(caught.value) == "launch: kernel is launched only by this test"


def test_each_kernel_has_a_folder_name_of_its_own_and_as_short_as_can_be(write_tree: WriteTree) -> None:
    paths = ["vllm/one/ops.py", "vllm/two/ops.py", "vllm/two/more.py"]
    tree = write_tree({**dict.fromkeys(paths, LAUNCHED), "vllm/b.py": LAUNCHED.replace("kernel", "_other_kernel")})
    assert slugs(scan_tree(tree)) == {
        "vllm/b.py::_other_kernel": "vllm-other-kernel",
        "vllm/one/ops.py::kernel": "vllm-one-ops-kernel",
        "vllm/two/more.py::kernel": "vllm-more-kernel",
        "vllm/two/ops.py::kernel": "vllm-two-ops-kernel",
    }


IN_A_CLASS = """
import triton
LIMIT = 4
@triton.jit
def helper(x): return x
class Launcher:
    helper = None
    # what it does
    @staticmethod
    @triton.jit
    def kernel(x):
        helper(x + LIMIT)
    def __call__(self, x):
        self.kernel[(1,)](x)
"""

IN_A_FUNCTION = """
def launch(x, width):
    import triton
    import triton.language as tl
    shift = 2
    @triton.jit
    def kernel(x, BLOCK: tl.constexpr):
        tl.store(x, shift + {free})

    kernel[(1,)](x, width)
"""


def test_a_kernel_in_a_class_is_lifted_out_and_sees_its_module(write_tree: WriteTree) -> None:
    tree = write_tree({"vllm/a.py": IN_A_CLASS})
    kernel = find_kernel(scan_tree(tree), "kernel")
    cut = cut_alone(Library(locate(tree)), kernel, "")
    texts = [piece.module.text(piece.statement) for piece in cut.closure.pieces.values()]
    assert texts[0] == "@triton.jit\ndef kernel(x):\n    helper(x + LIMIT)\n"
    assert sorted(texts[1:]) == ["@triton.jit\ndef helper(x): return x\n", "LIMIT = 4\n"]
    assert (cut.name, cut.entry, definition(cut).name) == ("kernel", "launch_kernel", "kernel")


def test_a_kernel_in_a_function_takes_along_what_that_function_defines(write_tree: WriteTree) -> None:
    tree = write_tree({"vllm/a.py": IN_A_FUNCTION.format(free="1")})
    cut = cut_alone(Library(locate(tree)), scan_tree(tree).kernels[0], "")
    assert [piece.statement.names for piece in cut.closure.pieces.values()] == [("kernel",), ("shift",)]
    assert [kept.text for kept in cut.closure.imports.values()] == ["import triton.language as tl", "import triton"]


def test_a_kernel_that_reads_what_only_a_call_knows_is_stopped_by_its_name(write_tree: WriteTree) -> None:
    tree = write_tree({"vllm/a.py": IN_A_FUNCTION.format(free="width")})
    with pytest.raises(StoppedError) as caught:
        cut_alone(Library(locate(tree)), scan_tree(tree).kernels[0], "")
    assert str(caught.value) == "width: a local name of the function around it, known only when that runs"
