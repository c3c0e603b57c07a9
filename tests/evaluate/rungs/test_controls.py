from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from kmaint.errors import HarnessError, InternalError
from kmaint.evaluate import Bench
from kmaint.evaluate.rungs.controls import bodies, controls, trust
from kmaint.folder import read_harness
from kmaint.records.harness import Harness

KERNEL = """\
@triton.jit
def kernel(p, n):
    tl.store(p + n, n * 2, mask=n < 4)
    if n > 1:
        tl.store(p, value=n)
    old = tl.atomic_add(p, n)
"""


def with_text(harness: Harness, folder: Path, text: str) -> Harness:
    """The same harness with another kernel."""
    changed = dataclasses.replace(harness, folder=folder)
    changed.replaced.write_text(text)
    return changed


def test_the_controls_store_nothing_or_too_much(harness: Harness, tmp_path: Path) -> None:
    nothing, more = controls(with_text(harness, tmp_path, KERNEL)).values()
    assert nothing.splitlines()[2:] == ["    pass", "    if n > 1:", "        pass", "    old = tl.atomic_add(p, n)"]
    assert more.splitlines()[2:] == [
        "    tl.store(p + n, n * 2 + 1, mask=n < 4)",
        "    if n > 1:",
        "        tl.store(p, value=n + 1)",
        "    old = tl.atomic_add(p, n + 1)",
    ]


CUDA = """\
#define KERNEL __global__ void
// __global__ void not_this() { }
template <typename T, int N = (4 > 2 ? 1 : 2)>
__global__ void __launch_bounds__(256, (N + 1)) scale(T* x, int n) {
  if (n > 0) { x[threadIdx.x] *= 2; }  // }
}
__global__ void declared(int* x);
static const char* text = "__global__ void nor_this() {}";
extern "C" __global__ void other(int* x) { *x = 1; }
"""


def test_the_bodies_of_kernels_are_found_beside_comments_strings_macros_and_declarations() -> None:
    found = [CUDA[start:end] for start, end in bodies(CUDA)]
    assert found == ["{\n  if (n > 0) { x[threadIdx.x] *= 2; }  // }\n}", "{ *x = 1; }"]


def in_cuda(harness: Harness, folder: Path, text: str) -> Harness:
    region = dataclasses.replace(harness.regions[0], path="csrc/x.cu")
    return with_text(dataclasses.replace(harness, language="cuda", regions=(region,)), folder, text)


def test_the_controls_of_cuda_store_nothing_or_leave_out_every_second_program(harness: Harness, tmp_path: Path) -> None:
    nothing, half = controls(in_cuda(harness, tmp_path, CUDA)).values()
    first = "{\n  if (n > 0) { x[threadIdx.x] *= 2; }  // }\n}"
    assert nothing == CUDA.replace(first, "{}").replace("{ *x = 1; }", "{}")
    skipped = "{ if (blockIdx.x & 1u) return;"
    assert half == CUDA.replace(first, skipped + first[1:]).replace("{ *x", f"{skipped} *x")


def test_what_holds_no_kernel_cannot_be_judged(harness: Harness, tmp_path: Path) -> None:
    with pytest.raises(
        HarnessError, match=r"kernel\.cu: no __global__ function to plant a defect in; judge it by hand"
    ):
        controls(in_cuda(harness, tmp_path, "int main() {}"))


def test_a_suite_that_accepts_anything_is_not_trusted(harness: Harness, bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "vacuous"
    shutil.copytree(harness.folder, folder)
    (folder / "test_kernel.py").write_text("def test_nothing():\n    pass\n")
    with pytest.raises(InternalError) as caught:
        trust(read_harness(folder), bench, on_gpu=False)
    assert str(caught.value) == (
        f"{folder / 'test_kernel.py'}: [control_accepted] passes a kernel that stores nothing, so its word is worth "
        f"nothing; write it again with 'kmaint testgen {folder}'"
    )
