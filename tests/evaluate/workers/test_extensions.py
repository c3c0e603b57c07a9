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


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """For all tests: the bench knows what it built, and asks once."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KMAINT_CUDA_CACHE", str(folder))
        yield folder


@pytest.mark.slow
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
    built(cuda_harness, bench, cache)
    before = set(cache.rglob("*"))
    right = propose(f"{cuda_harness.replaced.read_text()}// the same\n")
    said = r"builds \(1 kernels .* not judged: CUDA C\+\+ has no interpreter; check it on a machine with a GPU"
    with pytest.raises(MissingError, match=said):
        check(cuda_harness, right, bench)
    assert set(cache.rglob("*")) == before  # nothing of a candidate's is kept where originals are


def test_what_the_compiler_refuses_is_a_verdict_in_its_words(
    cuda_harness: Harness, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    verdict = check(cuda_harness, propose("__global__ void twice(float* x) { *x = missing; }\n"), bench).verdict
    assert isinstance(verdict, NotBuilt)
    assert verdict.reason == 'nvcc: include/csrc/twice.cu(1): error: identifier "missing" is undefined'
    empty = check(cuda_harness, propose("float twice(float x) { return 2 * x; }\n"), bench).verdict
    assert isinstance(empty, Dishonest)
    assert empty.codes == ("no_kernel_launched",)
    outside = check(cuda_harness, propose('#include "/etc/hostname"\n'), bench).verdict
    assert isinstance(outside, NotBuilt)
    assert outside.reason == "includes /etc/hostname, by no path in the harness"
