"""The interpreter of --python as it answers, does not answer, or has a framework from years ago."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kmaint.doctor import target
from kmaint.doctor.target import Answer, Device, ask, of_device, of_framework, of_interpreter
from kmaint.evaluate.rungs.counters import PERMIT


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    nowhere = tmp_path / "python"
    found = list(of_interpreter(ask(nowhere)))
    assert [one.standing for one in found] == ["missing"] * 5
    assert found[0].found == f"cannot start '{nowhere}': no such program"
    assert found[1].get == f"{nowhere} -m pip install torch"


def test_an_interpreter_that_says_something_else(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho hello; echo no such thing >&2; exit 9\n")
    python.chmod(0o755)
    assert ask(python).trouble == f"{python} does not answer: no such thing"


def test_a_torch_that_does_not_import(tmp_path: Path) -> None:
    """Installed by its metadata, and broken as a CUDA build without its libraries is."""
    (tmp_path / "torch-2.99.0.dist-info").mkdir()
    (tmp_path / "torch-2.99.0.dist-info" / "METADATA").write_text("Name: torch\nVersion: 2.99.0\n")
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.13: cannot open shared object file')\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    found = {one.name: one for one in of_interpreter(ask(python))}
    told = "2.99.0: OSError: libcudart.so.13: cannot open shared object file"
    assert (found["torch"].standing, found["torch"].found) == ("missing", told)
    assert found["triton"].standing == "missing"


@pytest.mark.parametrize(
    ("packages", "standing", "said"),
    [
        ({}, "missing", "neither sglang nor vllm is installed"),
        ({"sglang": "0.5.17"}, "ok", "sglang 0.5.17"),
        ({"sglang": "0.5.2"}, "limited", "sglang 0.5.2, older than 0.5.17: a resolver's downgrade?"),
        ({"vllm": "0.2.2"}, "limited", "vllm 0.2.2, older than 0.26: a resolver's downgrade?"),
        ({"vllm": "0.33.1.dev3+gabcdef"}, "ok", "vllm 0.33.1.dev3+gabcdef"),
        ({"vllm": "from-a-checkout"}, "ok", "vllm from-a-checkout"),
    ],
)
def test_a_framework_and_a_resolvers_downgrade(packages: dict[str, str], standing: str, said: str) -> None:
    answer = Answer(interpreter=Path("/opt/bin/python"), packages=packages)
    (found,) = of_framework(answer)
    assert (found.standing, found.found) == (standing, said)
    assert bool(found.get) is (standing != "ok")


def test_a_gpu_with_and_without_records() -> None:
    gpu = (Device(name="NVIDIA H200", arch="sm_90"),)
    found = {one.name: one for one in of_device(Answer(interpreter=Path("p"), gpus=gpu, cupti="not permitted"))}
    assert found["GPU"].standing == "ok"
    assert found["GPU"].found.startswith("NVIDIA H200 (sm_90), driver ")
    assert (found["CUPTI"].standing, found["CUPTI"].found) == ("limited", "not permitted")
    found = {one.name: one for one in of_device(Answer(interpreter=Path("p")))}
    assert (found["GPU"].standing, "CUPTI" in found) == ("missing", False)


def test_an_nvcc_without_the_headers_that_torch_includes_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A toolkit of which the compiler alone is installed, asked through the interpreter, as a build asks it."""
    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.parent.mkdir()
    nvcc.write_text("#!/bin/sh\ngrep -A1 cublas | grep missing\n")
    nvcc.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    found = {one.name: one for one in of_device(ask(Path(sys.executable)))}["nvcc"]
    assert (found.standing, found.found.partition(":")[0]) == ("limited", f"{nvcc}, which finds no cublas_v2.h")
    assert "nvidia-cublas" in found.get
    nvcc.write_text("#!/bin/sh\n")
    found = {one.name: one for one in of_device(ask(Path(sys.executable)))}["nvcc"]
    assert (found.standing, found.found, found.get) == ("ok", str(nvcc), "")


def test_ncu_is_looked_for_as_the_gate_looks_and_a_refusal_has_its_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed, parameters = tmp_path / "bin" / "ncu", tmp_path / "params"
    installed.parent.mkdir()
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    monkeypatch.setattr(target, "PARAMETERS", parameters)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    for said, standing in (("RmProfilingAdminOnly: 0\n", "ok"), ("RmProfilingAdminOnly: 1\n", "limited")):
        parameters.write_text(said)
        found = {one.name: one for one in of_device(Answer(interpreter=Path("p")))}["ncu"]
        assert (found.standing, PERMIT in found.get) == (standing, standing == "limited")
        assert found.found.startswith(str(installed))
