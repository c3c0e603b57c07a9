from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from extract.slicing.placing import copy_runtime
from kmaint.child import Finished, clean_environment, run_child

pytestmark = pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc on PATH")

PROGRAM = """
import sys; sys.path.insert(0, ".")
from pathlib import Path
from runtime import nvcc
place = nvcc.beside(sys.argv[1], "a key") if sys.argv[1:] else nvcc.HARNESS
options = lambda: (["-gencode=arch=compute_90,code=sm_90"], [])
print(nvcc.build(nvcc.Wanted("tried", '#include "kernel.cu"', (), options, place)))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "harness").mkdir()
    copy_runtime(tmp_path / "harness/runtime", "extract.runtime", "extract.cuda.runtime")
    return tmp_path / "harness"


def build(folder: Path, text: str, *words: str) -> Finished:
    (folder / "kernel.cu").write_text(text)
    return run(folder, *words)


def run(folder: Path, *words: str) -> Finished:
    environment = clean_environment({"KMAINT_CUDA_CACHE": str(folder.parent / "cache")})
    return run_child([sys.executable, "-c", PROGRAM, *words], timeout_s=120, env=environment, cwd=folder)


def test_a_source_is_compiled_once_for_each_content(folder: Path) -> None:
    text = "__global__ void add(int* a) { *a += 1; }\n"
    first = Path(build(folder, text).stdout.strip())
    assert first.is_file()
    made = first.stat().st_mtime_ns
    assert Path(build(folder, text).stdout.strip()) == first
    assert first.stat().st_mtime_ns == made
    assert Path(build(folder, text.replace("1", "2")).stdout.strip()) != first


def test_what_the_compiler_refuses_is_said_in_its_words_and_leaves_nothing(folder: Path) -> None:
    done = build(folder, "__global__ void add(int* a) { *a += missing; }\n")
    assert re.search(r'BuildError: nvcc: .*kernel\.cu\(1\): error: identifier "missing" is undefined', done.stderr)
    assert list((folder.parent / "cache").iterdir()) == []


@pytest.mark.slow
def test_a_candidate_is_built_beside_itself_and_is_found_there_without_its_sources(
    folder: Path, tmp_path: Path
) -> None:
    sources = tmp_path / "candidate.source"
    sources.mkdir()
    (sources / "kernel.cu").write_text("__global__ void add(int* a) { *a += 3; }\n")
    words = (str(tmp_path / "candidate.py"),)
    library = Path(build(folder, "this is no kernel", *words).stdout.strip())
    assert library.is_relative_to(tmp_path / "candidate.built")
    assert not (tmp_path / "cache").exists()
    shutil.rmtree(sources)
    assert run(folder, *words).stdout.strip() == str(library)
    library.unlink()
    assert "BuildError: tried: not among what was built before the candidate was run" in run(folder, *words).stderr
