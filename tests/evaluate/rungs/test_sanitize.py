"""What compute-sanitizer's log says in codes of the gate, and what is done where it cannot be asked.

The tool needs an NVIDIA GPU. Its logs here are in the format of its manual; the program that prints them plays it back.
"""

from __future__ import annotations

import json
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.child import clean_environment, run_child
from kmaint.evaluate.bench import Bench
from kmaint.evaluate.rungs.sanitize import Finding, cases_for, command, findings, sanitize
from kmaint.folder import read_harness
from kmaint.records.evaluation import Wrong
from kmaint.records.harness import Harness
from kmaint.stop import Stop, Stopped
from tests.letting_go import let_go_once
from tests.standing_in import endless

MEMCHECK = """========= COMPUTE-SANITIZER
========= Invalid __global__ write of size 4 bytes
=========     at merge_state_kernel:0x160 in kernel.py:44
=========     by thread (0,0,0) in block (0,0,0)
=========     Address 0x7f6510c00001 is out of bounds
=========
========= ERROR SUMMARY: 1 error
"""
RACECHECK = """========= COMPUTE-SANITIZER
========= Error: Race reported between Write access at merge_state_kernel+0x180 in kernel.py:41
=========     and Read access at merge_state_kernel+0x280 in kernel.py:49 [4 hazards]
=========
========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)
"""
INITCHECK = """========= COMPUTE-SANITIZER
========= Uninitialized __global__ memory read of size 4 bytes
=========     at merge_state_kernel:0x60 in kernel.py:8
=========     by thread (65,0,0) in block (0,0,0)
=========
========= ERROR SUMMARY: 64 errors
"""
CLEAN = """========= COMPUTE-SANITIZER
========= ERROR SUMMARY: 0 errors
"""


@pytest.mark.parametrize(
    ("log", "found"),
    [
        (
            MEMCHECK,
            [("memcheck", "Invalid __global__ write of size 4 bytes at merge_state_kernel:0x160 in kernel.py:44")],
        ),
        (
            RACECHECK,
            [
                (
                    "race",
                    "Error: Race reported between Write access at merge_state_kernel+0x180 in kernel.py:41 "
                    "and Read access at merge_state_kernel+0x280 in kernel.py:49 [4 hazards]",
                )
            ],
        ),
        (
            INITCHECK,
            [
                (
                    "uninitialised",
                    "Uninitialized __global__ memory read of size 4 bytes at merge_state_kernel:0x60 in kernel.py:8",
                )
            ],
        ),
        (CLEAN, []),
        ("Invalid __global__ write of size 4 bytes\n", []),
        ("", []),
    ],
    ids=["memcheck", "racecheck", "initcheck", "clean", "not the tool's line", "nothing"],
)
def test_a_log_is_read_as_codes(log: str, found: list[tuple[str, str]]) -> None:
    assert findings(log) == [Finding(code=code, text=text) for code, text in found]  # type: ignore[arg-type]


@pytest.fixture
def own(harness: Harness, tmp_path: Path) -> Harness:
    """The harness in a folder that the test may write into."""
    shutil.copytree(harness.folder, tmp_path / "own")
    return read_harness(tmp_path / "own")


def played_back(folder: Path, log: str, when: str) -> Path:
    """A program of the tool's name that prints the log where its last arguments hold `when`, else a clean one."""
    folder.mkdir()
    program = folder / "compute-sanitizer"
    (folder / "log").write_text(log)
    (folder / "clean").write_text(CLEAN)
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *{when}*) cat {folder}/log; exit 86;; *) cat {folder}/clean; exit 0;; esac\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.mark.parametrize(
    ("log", "when", "codes"),
    [
        (MEMCHECK, "memcheck*candidate.py", ("memcheck",)),
        (RACECHECK, "racecheck*candidate.py", ("race",)),
        (INITCHECK, "initcheck*candidate.py", ("uninitialised",)),
        (MEMCHECK, "memcheck", ()),
        (CLEAN, "candidate.py", ()),
    ],
    ids=["out of bounds", "race", "unwritten", "the original too", "clean"],
)
def test_a_candidate_is_refused_for_what_the_original_has_not(
    log: str,
    when: str,
    codes: tuple[str, ...],
    own: Harness,
    bench: Bench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", f"{played_back(tmp_path / 'bin', log, when)}:/usr/bin:/bin")
    rejection, said = sanitize(own, tmp_path / "candidate.py", bench, tmp_path)
    assert (rejection.codes if isinstance(rejection, Wrong) else ()) == codes
    assert bool(said) == (not codes)


def test_what_is_let_go_of_says_nothing_and_is_gone(
    own: Harness, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = replace(bench, stop=Stop(), known={})
    began = endless("compute-sanitizer", tmp_path / "bin", monkeypatch)
    with let_go_once(began, watched.stop), pytest.raises(Stopped):
        sanitize(own, tmp_path / "candidate.py", watched, tmp_path)
    assert watched.known == {}, "nothing is known of the original either"


def test_without_the_tool_nothing_is_refused_and_that_is_said(
    own: Harness, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CUDA_HOME", "/nowhere")
    if not Path("/usr/local/cuda/bin/compute-sanitizer").is_file():
        assert sanitize(own, tmp_path / "candidate.py", bench, tmp_path) == (
            None,
            "no compute-sanitizer on PATH, so memory and races were not checked",
        )


def test_earlier_failures_are_watched_too(own: Harness) -> None:
    smallest = cases_for(own)
    assert smallest == [dict(min(own.contract.workloads, key=lambda w: w.axes["T"]).axes)]
    failed = {**smallest[0], "T": 3, "values": "nan"}
    (own.folder / "failures.json").write_text(json.dumps({"test_x [mismatch]": failed, "test_y [exit]": {"T": 1}}))
    assert cases_for(own) == [*smallest, failed]


def test_the_runner_makes_the_calls(harness: Harness, tmp_path: Path) -> None:
    argv = command("compute-sanitizer", "memcheck", Path(sys.executable), harness.folder, Path("kernel.py"), "f")
    runner = Path(argv[8])
    asked = [
        {"T": 2, "H": 2, "D": 64, "DT": "float32"},
        {"T": 2, "H": 2, "D": 64, "DT": "float32", "twist": "none prefix_lse"},
    ]
    program = (
        f"import sys, json; sys.path.insert(0, {str(runner.parent)!r}); from pathlib import Path; import sanitizing; "
        f"print(sanitizing.main(Path('.'), Path('kernel.py').resolve(), {harness.entry!r}, {asked!r}, 'cpu'))"
    )
    finished = run_child(
        [sys.executable, "-c", program],
        timeout_s=120,
        env=clean_environment({"TRITON_INTERPRET": "1", "PYTHONPATH": str(harness.folder)}),
        cwd=harness.folder,
    )
    assert finished.stdout.strip() == "1", finished.stderr
