"""What is compiled in one folder is found in its copy, and the original folder is not needed any more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from kmaint.child import run_child
from kmaint.evaluate import Bench
from kmaint.evaluate.bench import environment_of
from kmaint.evaluate.bench.kernels import copy_kernels

COMPILES = """
import json, sys, triton, triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.cache import get_cache_manager

@triton.jit
def kernel(p):
    tl.store(p, 1.0)

asked = []
compiled = triton.compile(ASTSource(kernel, {"p": "*fp32"}, {}), target=GPUTarget("cuda", 90, 32))
print(json.dumps([len(compiled.asm["cubin"]), sorted(str(path) for path in compiled.metadata_group.values())]))
"""


def compiled(bench: Bench, program: Path, scratch: Path) -> tuple[int, list[str]]:
    ended = run_child([bench.python, program], timeout_s=120, env=environment_of(None, scratch, gpu=False), cwd=scratch)
    assert ended.code == 0, ended.stderr
    size, paths = json.loads(ended.stdout)
    return size, paths


def test_a_copy_holds_what_was_compiled(bench: Bench, tmp_path: Path) -> None:
    program, first, second = tmp_path / "program.py", tmp_path / "first", tmp_path / "second"
    program.write_text(COMPILES)
    first.mkdir()
    second.mkdir()
    size, _ = compiled(bench, program, first)
    (first / "triton" / "tmp.pid_1").mkdir()
    copy_kernels(first / "triton", second / "triton")
    shutil.rmtree(first)
    before = {path: path.stat().st_mtime_ns for path in (second / "triton").rglob("*.cubin")}
    assert len(before) == 1
    found, paths = compiled(bench, program, second)
    assert found == size
    assert paths and all(path.startswith(str(second)) for path in paths)
    assert {path: path.stat().st_mtime_ns for path in (second / "triton").rglob("*.cubin")} == before


def test_nothing_is_copied_from_nowhere(tmp_path: Path) -> None:
    copy_kernels(tmp_path / "none", tmp_path / "into")
    assert not (tmp_path / "into").exists()
