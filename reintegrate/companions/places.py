"""Where a framework keeps tests and benchmarks of kernels, and what it puts above every file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kmaint.records.harness import Harness
from reintegrate.names import dotted

Style = Literal["unittest", "pytest"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A framework's ways. Folders are relative to the repository; `{group}` is the kernel's group."""

    style: Style
    header: str
    tests: str
    benchmarks: str
    benchmark: str
    """What a benchmark's file is called."""
    markers: tuple[tuple[str, str], ...] = ()
    """Parts of a kernel's path, and the group that its tests stand in."""
    triton: str = "import triton.testing\n"
    """How a file gets at `triton.testing`."""
    operator: str = "{name}"
    """How a backend in the framework's registry is called."""
    registers: bool = False
    """Whether its continuous integration asks a test file to register itself."""


SGLANG = Place(
    style="unittest",
    header="# SPDX-License-Identifier: Apache-2.0\n",
    tests="test/registered/kernels/ops/{group}",
    benchmarks="test/registered/kernels/benchmark/{group}",
    benchmark="bench_{name}.py",
    registers=True,
)
VLLM = Place(
    style="pytest",
    header=(
        "# SPDX-License-Identifier: Apache-2.0\n# SPDX-FileCopyrightText: Copyright contributors to the vLLM project\n"
    ),
    tests="tests/kernels/{group}",
    benchmarks="benchmarks/kernels",
    benchmark="benchmark_{name}.py",
    triton="from vllm.triton_utils import triton\n",
    operator="torch.ops.vllm.{name}",
    markers=(
        ("attention", "attention"),
        ("fused_moe", "moe"),
        ("quantization", "quantization"),
        ("mamba", "mamba"),
        ("", "core"),
    ),
)
PLACES = {"sglang": SGLANG, "vllm": VLLM}


def group_of(place: Place, path: str) -> str:
    """The kernel's group among the framework's: SGLang's folder below `ops`, vLLM's by what the path speaks of."""
    for part, group in place.markers:
        if part in path:
            return group
    _, found, rest = path.partition("/ops/")
    return rest.split("/")[0] if found and "/" in rest else "elementwise"


def module_of(harness: Harness) -> str:
    """The module that the launcher is imported from."""
    region = next(one for one in harness.regions if harness.entry in one.symbol.split(","))
    return dotted(region.path, harness.provenance.framework)


def registration(tree: Path) -> tuple[str, str]:
    """The import and the line by which SGLang's continuous integration takes a test in; empty where it has no such."""
    found = [*tree.glob("sglang/test/ci/ci_register.py"), *tree.glob("python/sglang/test/ci/ci_register.py")]
    if not found or "runner_config" not in found[0].read_text():
        return "", ""
    line = 'register_cuda_ci(est_time=10, stage="base-b", runner_config="1-gpu-small")\n'
    return "from sglang.test.ci.ci_register import register_cuda_ci\n", line
