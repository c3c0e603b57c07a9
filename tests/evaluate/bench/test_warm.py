"""Warm interpreters: what one program does, the next knows nothing of; and what is said is what a cold one says."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from kmaint.child import clean_environment, run_child
from kmaint.evaluate import Bench, warmed
from kmaint.evaluate.bench import environment_of
from kmaint.evaluate.bench.warm import UNSEEING, _start
from kmaint.evaluate.rungs.suite import run_suite
from kmaint.forking import warm as fork_warm
from kmaint.forking.programs import Program
from kmaint.records.evaluation import Candidate
from kmaint.records.harness import Harness

MARKS = """
import os, sys, builtins, runtime.cases, torch
print(hasattr(builtins, "mark"), hasattr(runtime.cases, "mark"), "MARK" in os.environ, os.getppid())
builtins.mark = runtime.cases.mark = 1
os.environ["MARK"] = "1"
sys.modules["torch"].ones = None
"""


def run(bench: Bench, harness: Harness, program: Path, *, interpret: bool) -> str:
    environment = environment_of(harness.folder, program.parent, gpu=False, interpret=interpret)
    asked = Program(argv=[program], env=environment, cwd=program.parent)
    ended = bench.run(harness.folder, asked, timeout_s=60)
    assert ended.code == 0, ended.stderr
    return ended.stdout


def test_programs_share_an_interpreter_and_no_state(bench: Bench, harness: Harness, tmp_path: Path) -> None:
    program = tmp_path / "marks.py"
    program.write_text(MARKS)
    said = [run(bench, harness, program, interpret=interpret) for interpret in (True, True, False)]
    assert {line.rpartition(" ")[0] for line in said} == {"False False False"}
    servers = [line.split()[-1] for line in said]
    assert servers[0] == servers[1] != servers[2]


def test_a_server_that_is_killed_is_replaced(bench: Bench, harness: Harness, tmp_path: Path) -> None:
    program = tmp_path / "marks.py"
    program.write_text(MARKS)
    with warmed(bench) as own:
        server = int(run(own, harness, program, interpret=True).split()[-1])
        os.kill(server, signal.SIGKILL)
        assert int(run(own, harness, program, interpret=True).split()[-1]) != server


def test_what_is_expected_starts_side_by_side_and_ends_with_the_block(
    bench: Bench, harness: Harness, tmp_path: Path
) -> None:
    program = tmp_path / "marks.py"
    program.write_text(MARKS)
    with warmed(bench) as own:
        assert own.warm is not None
        own.warm.expect(harness.folder, (True, False))
        own.warm.expect(harness.folder, (True, False))
        servers = [int(run(own, harness, program, interpret=mode).split()[-1]) for mode in (True, False)]
        assert own.warm.bare(interpreted=True) != own.warm.bare(interpreted=False)
        assert all(alive(server) for server in servers)
    assert not any(alive(server) for server in servers)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_suite_says_the_same_warm_and_cold(
    bench: Bench, harness: Harness, source: str, tmp_path: Path, propose: Callable[[str], Candidate]
) -> None:
    file = tmp_path / "candidate.py"
    file.write_text(source.replace("    return output, output_lse\n", "    return output_lse, output\n"))
    found = [run_suite(harness, file, one, on_gpu=False) for one in (bench, dataclasses.replace(bench, warm=None))]
    assert [one.rejection and one.rejection.codes for one in found] == [("mismatch",), ("mismatch",)]
    assert found[0].ran == found[1].ran


FOUND_OUT = """
import importlib, sys
before = set(sys.modules)
import triton
from runtime import snapshot
for name in snapshot.MODULES:
    if name not in before:
        importlib.import_module(name)
print(sorted(name for name in set(sys.modules) - before if name.partition(".")[0] in ("torch", "triton")))
print(triton.runtime.cache.triton_key.cache_info().currsize, triton.runtime.build.platform_key.cache_info().currsize)
"""


@pytest.mark.parametrize("interpreted", [False, True])
def test_a_candidates_process_has_all_that_takes_long_of_the_one_it_is_forked_of(
    bench: Bench, harness: Harness, tmp_path: Path, *, interpreted: bool
) -> None:
    program = tmp_path / "found_out.py"
    program.write_text(FOUND_OUT)
    environment = environment_of(harness.folder, tmp_path, gpu=False, interpret=interpreted)
    with _start(bench.python, None, interpreted=interpreted) as bare:
        ended = bare.run(Program(argv=[program], env=environment, cwd=tmp_path), timeout_s=60)
    assert ended.code == 0, ended.stderr
    # What is interpreted is never compiled.
    assert ended.stdout.splitlines() == ["[]", "0 0" if interpreted else "1 1"]


ASKS = """
import runpy, sys, torch
torch.cuda._is_compiled = torch.backends.cuda.is_built = lambda: True
torch._C._cuda_getDeviceCount = lambda: print("asked") or 0
warm = runpy.run_path(sys.argv[1])
warm["warm"]("", [], [], [], bare=True)
torch.cuda.is_available()
print("benchmark" in dir(torch.utils))
"""
"""As in a torch that was built for CUDA, where that question keeps every fork from using a GPU."""


@pytest.mark.parametrize(("extra", "said"), [(UNSEEING, "True"), ({}, "asked True")])
def test_nothing_that_is_imported_beforehand_asks_cuda_for_a_device(
    bench: Bench, extra: dict[str, str], said: str
) -> None:
    zygote = Path(fork_warm.__file__).with_name("zygote.py")
    ended = run_child([bench.python, "-c", ASKS, zygote], timeout_s=60, env=clean_environment(extra))
    assert ended.stdout.split() == said.split(), ended.stderr
