"""Evidence of small trees in the shapes that both frameworks write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import extract
from kmaint.records.kernel import Kernel, Scan

WriteTree = Callable[[dict[str, str]], Path]

KERNEL = """import triton
from vllm.utils.torch_utils import direct_register_custom_op

@triton.jit
def _norm_kernel(x):
    pass

def norm(x):
    _norm_kernel[(1,)](x)

def fused_norm(x):
    return norm(x)

direct_register_custom_op(
    op_name="norm",
    op_func=norm,
)
"""


def only(scan: Scan) -> Kernel:
    (kernel,) = (kernel for kernel in scan.kernels if kernel.language == "triton")
    return kernel


def test_a_test_counts_where_it_uses_what_leads_to_the_kernel(write_tree: WriteTree) -> None:
    tree = write_tree(
        {
            "vllm/ops/__init__.py": "from .norm import (\n    fused_norm,  # re-exported\n)\n",
            "vllm/ops/norm.py": KERNEL,
            "benchmarks/bench_norm.py": "from vllm.ops import norm as module\n\ndef main():\n    module.norm(1)\n",
            "tests/test_direct.py": "from vllm.ops.norm import norm\n\ndef test_norm():\n    norm(1)\n\n"
            "def test_other():\n    assert 1\n",
            "tests/test_public.py": "from vllm.ops import fused_norm as f\n\nclass TestNorm:\n    def test_a(self):\n"
            "        f(1)\n\n    def test_b(self):\n        pass\n",
            "tests/test_helper.py": "from vllm.ops.norm import norm\n\ndef run(x):\n    return norm(x)\n\n"
            '@pytest.mark.parametrize("x", [1])\ndef test_through_helper(x):\n    run(x)\n',
            "tests/test_operator.py": "import torch\n\ndef test_operator():\n    torch.ops.vllm.norm(1)\n",
            "tests/test_unrelated.py": "from other import norm\n\ndef test_norm():\n    norm(1)\n",
            "tests/test_unused.py": "from vllm.ops.norm import norm\n\ndef test_nothing():\n    normal = 1\n",
        }
    )
    kernel = only(extract.scan_tree(tree))
    assert kernel.tests == (
        "tests/test_direct.py::test_norm",
        "tests/test_helper.py::test_through_helper",
        "tests/test_operator.py::test_operator",
        "tests/test_public.py::TestNorm.test_a",
    )
    assert kernel.benchmarks == ("benchmarks/bench_norm.py::main",)


def test_support_files_of_tests_lead_on(write_tree: WriteTree) -> None:
    tree = write_tree(
        {
            "vllm/ops/norm.py": KERNEL,
            "tests/kernels/utils.py": "from vllm.ops.norm import norm\n\nIMPLEMENTATIONS = [norm]\n\n"
            "def check():\n    for one in IMPLEMENTATIONS:\n        one(1)\n",
            "tests/kernels/test_norm.py": "from .utils import check\n\ndef test_it():\n    check()\n",
            "tests/test_absolute.py": "from tests.kernels import utils\n\ndef test_it():\n    utils.check()\n",
        }
    )
    assert only(extract.scan_tree(tree)).tests == (
        "tests/kernels/test_norm.py::test_it",
        "tests/test_absolute.py::test_it",
    )


def test_a_tree_without_tests_says_that_they_are_unknown(write_tree: WriteTree) -> None:
    assert extract.scan_tree(write_tree({"vllm/ops/norm.py": KERNEL})).unknown == ("tests", "benchmarks")
    tree = write_tree({"tests/test_a.py": "", "benchmarks/b.py": ""})
    assert extract.scan_tree(tree).unknown == ()


def test_operators_are_registered_by_call_and_by_decorator(write_tree: WriteTree) -> None:
    kernel = only(extract.scan_tree(write_tree({"vllm/ops/norm.py": KERNEL})))
    assert [(found.name, found.path, found.line) for found in kernel.registrations] == [
        ("vllm::norm", "vllm/ops/norm.py", 14)
    ]
    decorated = KERNEL.replace("def norm(x)", '@torch.library.custom_op("mine::norm", mutates_args=())\ndef norm(x)')
    kernel = only(extract.scan_tree(write_tree({"vllm/ops/norm.py": decorated})))
    assert [found.name for found in kernel.registrations] == ["mine::norm", "vllm::norm"]


def test_tables_belong_to_who_reads_them_or_takes_what_was_read(write_tree: WriteTree) -> None:
    module = """import os
import triton

@triton.jit
def _moe_kernel(x):
    pass

@triton.jit
def _sum_kernel(x):
    pass

def get_configs(name):
    path = os.path.join(os.path.dirname(os.path.realpath(__file__)), "configs", name)
    return open(path)

def try_get_config(name):
    return get_configs(name)

def invoke_moe(x, config):
    _moe_kernel[(1,)](x, **config)

def moe_sum(x):
    _sum_kernel[(1,)](x)

def experts(x):
    invoke_moe(x, try_get_config("E=1"))
    moe_sum(x)
"""
    names = ("E=8,N=2,device_name=NVIDIA_H200.json", "E=8,N=2,device_name=NVIDIA_B200,dtype=fp8_w8a8.json", "note.json")
    tree = write_tree({"vllm/moe.py": module, **{f"vllm/configs/{name}": "{}" for name in names}})
    by_name = {kernel.name: kernel.tables for kernel in extract.scan_tree(tree).kernels}
    tables = by_name["_moe_kernel"]
    assert tables is not None
    assert (tables.folder, tables.files, tables.devices) == ("vllm/configs", 3, ("NVIDIA_B200", "NVIDIA_H200"))
    assert "NVIDIA_H100_80GB_HBM3" in tables.missing
    assert "NVIDIA_H200" not in tables.missing
    assert by_name["_sum_kernel"] is None
