"""A real harness of one small SGLang kernel, with a suite by hand, and one survey of this interpreter for all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.evaluate import Bench, open_bench, warmed
from kmaint.folder import forward, read_harness, write_manifest
from kmaint.records.evaluation import Candidate, Plan
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument, Axis, Contract, Workload

ROOT = Path(__file__).parents[2]
LIMITS_S = {"compile": 60.0, "interpreter": 60.0, "numerics": 60.0, "call": 30.0}


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """This interpreter without a GPU, so that the tests say the same everywhere; warm, as commands use it."""
    with warmed(open_bench(device="none", limits_s=LIMITS_S)) as found:
        yield found


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    """merge_state of SGLang 0.5.17 in a folder of its own."""
    folder = tmp_path_factory.mktemp("harness") / "merge_state"
    shutil.copytree(Path(__file__).parent / "cases" / "merge_state", folder)
    shutil.copytree(ROOT / "extract" / "runtime", folder / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    return read_harness(folder)


@pytest.fixture(scope="session")
def small(harness: Harness) -> Harness:
    """The same with one workload that is interpreted in no time."""
    tiny = Workload(
        name="tiny", axes={"T": 2, "H": 2, "D": 64, "DT": "float32"}, weight=1.0, origin="derived", source="a test"
    )
    return replace(harness, contract=replace(harness.contract, workloads=(tiny,)))


CUDA_KERNEL = """\
__global__ void twice(float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= 2.0f;
}
"""
CUDA_ENTRY = """\
from runtime.torch_library import operators

OPERATOR = "twice"
FLAGS = ("-std=c++20",)
FOLDERS = ("include",)


def twice(x):
    return operators(FLAGS, FOLDERS).twice(x)
"""


@pytest.fixture(scope="session")
def cuda_harness(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> Harness:
    """A kernel of four lines laid out as the operators of vLLM are, without torch's headers: it builds in seconds."""
    folder = tmp_path_factory.mktemp("harness") / "twice"
    forward(folder, "csrc/twice.cu", "kernel.cu")
    (folder / "kernel.cu").write_text(CUDA_KERNEL)
    (folder / "binding.cu").write_text('#include "include/csrc/twice.cu"\n')
    (folder / "kernel.py").write_text(CUDA_ENTRY)
    (folder / "test_kernel.py").write_text("")
    for name in ("extract/runtime", "extract/cuda/runtime"):
        shutil.copytree(ROOT / name, folder / "runtime", dirs_exist_ok=True)
    region = replace(harness.regions[0], path="csrc/twice.cu")
    axis = Axis(name="n", low=1, high=64)
    argument = Argument(name="x", kind="tensor", shape=("n",), dtype="float32")
    contract = Contract(axes=(axis,), arguments=(argument,))
    cut = replace(harness, folder=folder, language="cuda", entry="twice", kernel="twice", regions=(region,))
    write_manifest(replace(cut, contract=contract, oracle=False))
    return read_harness(folder)


@pytest.fixture(scope="session")
def source(harness: Harness) -> str:
    return (harness.folder / "kernel.py").read_text()


@pytest.fixture(scope="session")
def propose() -> Callable[[str], Candidate]:
    """A candidate out of a source."""
    plan = Plan(bottleneck="unknown", edit="by hand", why="a test")
    return lambda text: Candidate(id=wire.digest(text), source=text, parent=None, plan=plan, provider="test")
