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
print(nvcc.build('#include "kernel.cu"', ["-gencode=arch=compute_90,code=sm_90"], [], name="tried"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "harness").mkdir()
    copy_runtime(tmp_path / "harness/runtime", "extract.runtime", "extract.cuda.runtime")
    return tmp_path / "harness"


def build(folder: Path, text: str) -> Finished:
    (folder / "kernel.cu").write_text(text)
    environment = clean_environment({"KMAINT_CUDA_CACHE": str(folder.parent / "cache")})
    return run_child([sys.executable, "-c", PROGRAM], timeout_s=120, env=environment, cwd=folder)


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
