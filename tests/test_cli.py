"""The command line as its users meet it: help that teaches, one object for scripts, one line for a mistake."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kmaint.agent.providers import PROVIDERS

HARNESS = Path(__file__).parent / "evaluate" / "cases" / "merge_state"
TREE = Path(__file__).parent / "cases" / "sglang-0.5.17"
COMMANDS = (
    "fetch",
    "scan",
    "capture",
    "extract",
    "testgen",
    "check",
    "optimize",
    "next",
    "submit",
    "reintegrate",
    "report",
    "bench",
    "attest",
    "pr",
    "ledger",
    "recheck",
    "maintain",
    "nightly",
    "runs",
    "watch",
    "stats",
    "export",
    "doctor",
    "explain",
    "mcp",
    "memory",
)


def kmaint(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120"}
    argv = [sys.executable, "-m", "kmaint", *map(str, words)]
    return subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TREE, tmp_path / "tree"))


def test_help_names_every_command(tmp_path: Path) -> None:
    ended = kmaint("--help", cwd=tmp_path)
    assert ended.returncode == 0
    assert [name for name in COMMANDS if f" {name} " not in ended.stdout] == []
    assert "130 interrupted" in ended.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, tmp_path: Path) -> None:
    ended = kmaint(command, "--help", cwd=tmp_path)
    assert ended.returncode == 0
    assert len(ended.stdout.splitlines()) > 8


def test_every_provider_has_a_line_in_the_help(tmp_path: Path) -> None:
    said = kmaint("optimize", "--help", cwd=tmp_path).stdout
    assert [name for name in PROVIDERS if f"\n    {name} " not in said] == []


def test_the_version(tmp_path: Path) -> None:
    assert kmaint("--version", cwd=tmp_path).stdout == "kmaint 0.1.0\n"


def test_scan_prints_one_object(tree: Path) -> None:
    ended = kmaint("scan", tree, "--format", "json", cwd=tree)
    assert (ended.returncode, ended.stderr) == (0, "")
    found = json.loads(ended.stdout)
    assert found["schema"] == "kmaint.scan/1"
    [kernel] = found["kernels"]
    assert (kernel["id"], kernel["line"], kernel["role"], kernel["language"]) == (
        "sglang/kernels/ops/attention/merge_state.py::merge_state_kernel",
        9,
        "kernel",
        "triton",
    )
    assert [host["qualname"] for host in kernel["launchers"]] == ["merge_state_triton"]


def test_an_unknown_kernel_is_answered_with_the_nearest(tree: Path) -> None:
    ended = kmaint("extract", tree, "merge_stat_kernel", "-o", tree / "out", cwd=tree)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "merge_stat_kernel" in ended.stderr
    assert "sglang/kernels/ops/attention/merge_state.py::merge_state_kernel" in ended.stderr
    assert not (tree / "out").exists()


def test_an_error_is_an_object_too(tmp_path: Path) -> None:
    ended = kmaint("scan", tmp_path, "--format", "json", cwd=tmp_path)
    assert ended.returncode == 2
    said = json.loads(ended.stdout)
    assert said["schema"] == "kmaint.error/1"
    assert said["error"]["exit_code"] == 2
    assert str(tmp_path) in said["error"]["message"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("testgen", "."),
            2,
            "kmaint: .: no harness.toml in it, so not a harness; make one with 'kmaint extract TREE ID -o DIR'",
        ),
        (
            ("check", ".", "x.py"),
            2,
            "kmaint: .: no harness.toml in it, so not a harness; make one with 'kmaint extract TREE ID -o DIR'",
        ),
        (
            ("optimize", "nowhere"),
            2,
            "kmaint: nowhere: no harness.toml in it, so not a harness; make one with 'kmaint extract TREE ID -o DIR'",
        ),
        (("runs", "--state", "/dev/null/x"), 2, None),
        (
            ("stats", "merge"),
            2,
            "kmaint: no run 'merge' in .kmaint; there are no runs yet: 'kmaint optimize' makes one",
        ),
        (
            ("watch", "merge"),
            2,
            "kmaint: no run 'merge' in .kmaint; there are no runs yet: 'kmaint optimize' makes one",
        ),
        (("report",), 2, "kmaint: no run is named; name one or more, or say --all"),
        (
            ("export", HARNESS, "--to", "rl"),
            2,
            f"kmaint: {HARNESS} is a harness, and rl data are made of runs; name runs ('kmaint runs' lists them), "
            "or say --to flashinfer-trace",
        ),
    ],
)
def test_bad_input_is_one_line(words: tuple[str | Path, ...], code: int, said: str | None, tmp_path: Path) -> None:
    ended = kmaint(*words, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert len(ended.stderr.splitlines()) == 1
    assert said is None or ended.stderr == f"{said}\n"


def test_several_candidates_are_one_object_in_the_order_given(tmp_path: Path) -> None:
    for name, source in (("a.py", "def ("), ("b.py", "import sglang\n")):
        (tmp_path / name).write_text(source)
    check = ("check", HARNESS, "b.py", "a.py", "--device", "none", "--format", "json", "-q")
    ended = kmaint(*check, cwd=tmp_path)
    assert ended.returncode == 1, ended.stderr
    said = json.loads(ended.stdout)
    assert said["schema"] == "kmaint.check/1"
    found = [(one["file"], one["verdict"], one["codes"], len(one["rungs"])) for one in said["evaluations"]]
    assert found == [
        ("b.py", "not_built", ["forbidden_import", "reference_fallback"], 1),
        ("a.py", "not_built", ["syntax"], 1),
    ]


def test_an_executor_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def (")
    there = {"RAY_ADDRESS": "127.0.0.1:1", "KMAINT_RAY": "127.0.0.1:1"}
    argv = [sys.executable, "-m", "kmaint", "check", str(HARNESS), "a.py", "--executor", "ray"]
    ended = subprocess.run(
        argv, cwd=tmp_path, env={**os.environ, **there}, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 3
    assert ended.stderr.startswith(("kmaint: no Ray cluster at '127.0.0.1:1'; ", "kmaint: no ray in "))
    ended = kmaint("check", HARNESS, "a.py", "--executor", "slurm", cwd=tmp_path)
    assert (ended.returncode, ended.stderr.splitlines()[-1][:17]) == (2, "kmaint: setting '")


CAPTURED = Path(__file__).parent / "extract" / "capture" / "cases"


def capture(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(CAPTURED / "tree"), "TRITON_INTERPRET": "1", "NO_COLOR": "1"}
    argv = [sys.executable, "-m", "kmaint", "capture", *map(str, words)]
    return subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_capture_leaves_the_commands_streams_and_status_alone(tmp_path: Path) -> None:
    ended = capture("-o", "calls.jsonl", "--", sys.executable, CAPTURED / "program.py", "plain", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "no such mode: broken\n")
    assert ["vllm/ops/scale.py::scale", "launcher", "5", "3", "71.4%"] in map(str.split, ended.stderr.splitlines())
    last = "8 kernel calls, 7 launcher calls: 5 of 6 watched, in 1 processes: calls.jsonl"
    assert ended.stderr.splitlines()[-1] == last
    header = json.loads((tmp_path / "calls.jsonl").read_text().splitlines()[0])
    assert (header["schema"], header["release"]["framework"]) == ("kmaint.capture/1", "vllm")
    wanted = (CAPTURED / "tree", "scale_kernel", "--launcher", "scale", "--calls", "calls.jsonl", "-o", "harnesses")
    ended = kmaint("extract", *wanted, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "ready: harnesses/vllm-scale-kernel\n")
    workloads = json.loads((tmp_path / "harnesses" / "vllm-scale-kernel" / "workloads.json").read_text())["workloads"]
    assert [(one["weight"], one["origin"]) for one in workloads] == [(share, "captured") for share in (0.6, 0.2, 0.2)]


def test_capture_watches_one_kernel_and_ends_as_the_command_does(tmp_path: Path) -> None:
    wanted = ("--kernel", "add_kernel", "-q", "-o", "calls.jsonl", "--tree", CAPTURED / "tree")
    ended = capture(*wanted, sys.executable, CAPTURED / "program.py", "killed", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (137, "", "")
    header = json.loads((tmp_path / "calls.jsonl").read_text())
    assert [one["id"] for one in header["watched"]] == ["vllm/ops/method.py::add_kernel"]


def test_capture_of_a_shell_asks_for_the_tree(tmp_path: Path) -> None:
    ended = capture("-o", "calls.jsonl", "--", "sh", "-c", "exit 3", cwd=tmp_path)
    message = "kmaint: cannot tell which Python 'sh' starts; name the tree of its framework with --tree\n"
    assert (ended.returncode, ended.stderr) == (2, message)
    told = ("-q", "--tree", CAPTURED / "tree", "--", "sh", "-c", "exit 3")
    ended = capture("-o", "calls.jsonl", *told, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (3, "")
    ended = capture("-o", ".", *told, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (2, "kmaint: .: is a folder; name a file to write with -o\n")
