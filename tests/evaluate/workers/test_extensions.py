from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kmaint.errors import MissingError
from kmaint.evaluate import Bench, check
from kmaint.evaluate.rungs.facts import Built, as_candidate, summary
from kmaint.evaluate.rungs.facts import original_built as built
from kmaint.records.evaluation import Candidate, Dishonest, NotBuilt
from kmaint.records.harness import Harness

pytestmark = pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc on PATH")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("KMAINT_CUDA_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"


def test_the_original_is_built_into_the_cache_and_once_more_as_a_candidate(
    cuda_harness: Harness, bench: Bench, tmp_path: Path, cache: Path
) -> None:
    found = built(cuda_harness, bench, tmp_path)
    assert isinstance(found, Built)
    (kernel,) = found.kernels
    assert "twice" in kernel.kernel
    assert summary(found.kernels) == (
        f"1 kernels with {kernel.registers} to {kernel.registers} registers and up to 0 bytes of static shared memory; "
        "0 of them use a stack"
    )
    file = as_candidate(cuda_harness, bench, tmp_path)
    own, (again,) = list(cache.glob("kmaint_*/*.so")), list(file.with_suffix(".built").rglob("*.so"))
    assert len(own) == 1
    assert own[0].name != again.name


def test_without_a_gpu_what_builds_is_not_judged_and_says_so(
    cuda_harness: Harness, bench: Bench, propose: Callable[[str], Candidate], cache: Path
) -> None:
    right = propose(f"{cuda_harness.replaced.read_text()}// the same\n")
    with pytest.raises(
        MissingError, match=r"builds \(1 kernels .* not judged: CUDA C\+\+ has no interpreter; check it on"
    ):
        check(cuda_harness, right, bench)
    # Nothing of a candidate's is kept where originals are.
    assert len(list(cache.glob("*/*.so"))) == 1


def test_what_the_compiler_refuses_is_a_verdict_in_its_words(
    cuda_harness: Harness, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    verdict = check(cuda_harness, propose("__global__ void twice(float* x) { *x = missing; }\n"), bench).verdict
    assert isinstance(verdict, NotBuilt)
    assert verdict.reason == 'nvcc: include/twice.cu(1): error: identifier "missing" is undefined'
    empty = check(cuda_harness, propose("float twice(float x) { return 2 * x; }\n"), bench).verdict
    assert isinstance(empty, Dishonest)
    assert empty.codes == ("no_kernel_launched",)
    outside = check(cuda_harness, propose('#include "/etc/hostname"\n'), bench).verdict
    assert isinstance(outside, NotBuilt)
    assert outside.reason == "includes /etc/hostname, by no path in the harness"
