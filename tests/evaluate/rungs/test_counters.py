"""A call under ncu, from finding the program to the record; a program stands in for the tool, which needs a GPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.evaluate.bench import Bench
from kmaint.evaluate.rungs import toolkit
from kmaint.evaluate.rungs.counters import MISSING, PERMIT, REFUSED, RUNNER, count, heaviest
from kmaint.folder import KERNEL
from kmaint.records.harness import Harness
from kmaint.records.workload import Contract, Workload
from kmaint.stop import Stop, Stopped
from tests.letting_go import let_go_once
from tests.standing_in import TABLE, endless, ncu


@pytest.fixture
def ours(bench: Bench) -> Bench:
    """The bench, knowing nothing yet of what it was refused."""
    return replace(bench, known={})


def test_the_real_call_is_made_and_the_table_is_read(
    small: Harness, ours: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = ncu(tmp_path / "bin", monkeypatch)
    counted = count(small, small.folder / KERNEL, ours, tmp_path)
    assert counted.trouble == "", counted.log
    assert counted.counters is not None
    assert counted.counters.workload == "tiny"
    assert [one.kernel for one in counted.counters.kernels] == ["merge_state_kernel", "reduce_kernel"]
    (called,) = calls.read_text().splitlines()
    words = called.split("\t")
    assert "--profile-from-start=off" in words
    assert words[words.index(str(ours.python)) + 1] == str(RUNNER)


def test_a_candidate_that_raises_there_has_no_counters(
    small: Harness, ours: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ncu(tmp_path / "bin", monkeypatch)
    broken = tmp_path / "candidate.py"
    broken.write_text("raise RuntimeError('not here')\n")
    counted = count(small, broken, ours, tmp_path)
    assert counted.counters is None
    assert counted.trouble.startswith("ncu: exit status 1: ")
    assert "RuntimeError: not here" in counted.log


def test_what_measured_code_prints_is_no_table(
    small: Harness, ours: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "silent.csv"
    silent.write_text("==WARNING== No kernels were profiled.\n")
    ncu(tmp_path / "bin", monkeypatch, table=silent)
    liar = tmp_path / "candidate.py"
    liar.write_text(f"print(open({str(TABLE)!r}).read())\n{(small.folder / KERNEL).read_text()}")
    counted = count(small, liar, ours, tmp_path)
    assert (counted.counters, counted.trouble) == (
        None,
        "ncu: it counted no kernel: ==WARNING== No kernels were profiled.",
    )


def test_where_counters_are_not_permitted_the_fix_is_said_and_nobody_tries_again(
    small: Harness, ours: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "refusing.csv"
    refusing.write_text(
        "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU Performance Counters on"
        " the target device 0.\n"
    )
    calls = ncu(tmp_path / "bin", monkeypatch, table=refusing)
    said = f"the driver lets only root read counters (ERR_NVGPUCTRPERM); to let users: {PERMIT}"
    for _ in range(2):
        assert count(small, small.folder / KERNEL, ours, tmp_path).trouble == said
    assert ours.known[REFUSED] == said
    assert len(calls.read_text().splitlines()) == 1


def test_one_that_does_not_end_is_killed(
    small: Harness, ours: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ncu(tmp_path / "bin", monkeypatch)
    endless = tmp_path / "candidate.py"
    endless.write_text("while True: pass\n")
    hasty = replace(ours, limits_s={**ours.limits_s, "counters": 1.0})
    assert count(small, endless, hasty, tmp_path).trouble == "ncu: no end within 1 s"


def test_what_is_let_go_of_counts_nothing(
    small: Harness, ours: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = replace(ours, stop=Stop())
    began = endless("ncu", tmp_path / "bin", monkeypatch)
    with let_go_once(began, watched.stop), pytest.raises(Stopped):
        count(small, small.folder / KERNEL, watched, tmp_path)


def test_without_the_program_that_is_said(
    small: Harness, ours: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("PATH", "CUDA_HOME", "CUDA_PATH"):
        monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
    monkeypatch.setattr(toolkit, "USUAL", tmp_path / "nowhere")
    monkeypatch.setattr(toolkit, "NSIGHT", tmp_path / "nowhere")
    assert count(small, small.folder / KERNEL, ours, tmp_path).trouble == MISSING


def test_the_heaviest_workload_has_the_greatest_weight_and_then_moves_most() -> None:
    def workload(name: str, rows: int, weight: float) -> Workload:
        return Workload(name=name, axes={"T": rows}, weight=weight, origin="derived", source="a test")

    some = (workload("a", 1, 1.0), workload("b", 64, 1.0), workload("never", 4096, 0.0))
    contract = Contract(axes=(), arguments=(), traffic="T * 64", workloads=some)
    assert heaviest(contract) == some[1]
    assert heaviest(replace(contract, traffic="")) == some[0]
    assert heaviest(replace(contract, workloads=(*some, workload("c", 1, 2.0)))) == workload("c", 1, 2.0)
    assert heaviest(replace(contract, workloads=())) is None
