"""What is watched of a real tree, and of one kernel."""

from __future__ import annotations

from dataclasses import replace

from extract.capture import Target, targets
from extract.scan import scan_tree
from kmaint.records.kernel import HostFunction
from tests.extract.capture.conftest import TREE


def test_kernels_and_their_plain_launchers_are_watched() -> None:
    method, scale = "vllm.ops.method", "vllm.ops.scale"
    assert targets(TREE, scan_tree(TREE).kernels) == (
        Target(module=method, qualname="Adder.fill_kernel", kernel=True, id="vllm/ops/method.py::Adder.fill_kernel"),
        Target(module=method, qualname="add_kernel", kernel=True, id="vllm/ops/method.py::add_kernel"),
        Target(module=scale, qualname="double", kernel=False, id="vllm/ops/scale.py::double"),
        Target(module=scale, qualname="gather", kernel=False, id="vllm/ops/scale.py::gather"),
        Target(module=scale, qualname="scale", kernel=False, id="vllm/ops/scale.py::scale"),
        Target(module=scale, qualname="scale_kernel", kernel=True, id="vllm/ops/scale.py::scale_kernel"),
    )


def test_only_what_the_chosen_kernels_need() -> None:
    chosen = [kernel for kernel in scan_tree(TREE).kernels if kernel.name == "add_kernel"]
    assert [target.id for target in targets(TREE, chosen)] == ["vllm/ops/method.py::add_kernel"]


def test_launchers_in_cpp_are_left_out() -> None:
    [kernel] = [kernel for kernel in scan_tree(TREE).kernels if kernel.name == "scale_kernel"]
    hosts = (HostFunction(path="vllm/csrc/x.cu", qualname="launch", line=1), *kernel.launchers)
    names = [target.qualname for target in targets(TREE, [replace(kernel, language="cuda", launchers=hosts)])]
    assert names == ["double", "gather", "scale"]
