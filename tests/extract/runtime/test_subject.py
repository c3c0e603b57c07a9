"""A candidate's process does not outlive the one that asked it."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from extract.runtime.cases import Case
from extract.runtime.subject import SubjectLost, remote

ROOT = Path(__file__).parent.parent.parent.parent
ASK = """
import sys
from pathlib import Path
from runtime.cases import Case
from runtime.subject import remote
folder = Path(sys.argv[1])
with remote(folder, folder / "candidate.py", "launch", "cpu") as subject:
    subject(Case())
"""
CANDIDATE = """
import time
def launch():
    time.sleep(300)
"""


def test_a_hung_candidate_dies_with_a_killed_parent(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "extract" / "runtime", tmp_path / "runtime")
    (tmp_path / "candidate.py").write_text(CANDIDATE)
    (tmp_path / "workloads.json").write_text(
        '{"axes": [], "arguments": [], "constraints": [], "traffic": "", "flops": "", "workloads": []}'
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", ASK, str(tmp_path)], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}
    )
    pid = _child_of(parent.pid)
    assert _is_running(pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while _is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(pid)


def _child_of(parent: int) -> int:
    """The candidate's process, once it has torch and so is about to call what hangs."""
    listed = Path(f"/proc/{parent}/task/{parent}/children")
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        for child in listed.read_text().split():
            if "libtorch" in Path(f"/proc/{child}/maps").read_text():
                return int(child)
        time.sleep(0.05)
    raise AssertionError("the candidate never began")


def _is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().split(")")[1].split()[0] != "Z"


LOST = {
    "import os\ndef launch():\n    os._exit(0)\n": "exit",
    "def launch():\n    raise SystemExit(0)\n": "exit",
    "import os, signal\ndef launch():\n    signal.raise_signal(signal.SIGSEGV)\n": "signal",
    "def launch():\n    while True: pass\n": "timeout",
    "import os\nfor one in range(3, 30):\n    try:\n        os.write(one, b'{\"done\": 1}\\n')\n"
    "    except OSError: pass\ndef launch():\n    return None\n": "spoofed_result",
    "import os\ndef launch():\n    os.closerange(3, 30)\n": "exit",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A harness of one function without arguments."""
    shutil.copytree(ROOT / "extract" / "runtime", tmp_path / "runtime")
    (tmp_path / "workloads.json").write_text(
        '{"axes": [], "arguments": [], "constraints": [], "traffic": "", "flops": "", "workloads": []}'
    )
    return tmp_path


@pytest.mark.parametrize("source", LOST, ids=list(LOST.values()))
def test_a_candidate_that_gives_no_answer_of_its_own(folder: Path, source: str) -> None:
    (folder / "candidate.py").write_text(source)
    with remote(folder, folder / "candidate.py", "launch", "cpu", limit_s=3.0) as subject:
        with pytest.raises(SubjectLost) as caught:
            subject(Case())
        assert caught.value.code == LOST[source]
        with pytest.raises(SubjectLost) as again:
            subject(Case())
        assert again.value.code == "not_run"


def test_an_honest_one_is_told_of_nothing_but_its_call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment of who asks nor its arguments say who that is; nor has it fewer of a GPU's queues for
    who asks having fewer, where a stream that nobody waits for would hide."""
    monkeypatch.setenv("KMAINT_SEED", "7")
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "this one")
    monkeypatch.setenv("CUDA_DEVICE_MAX_CONNECTIONS", "2")
    (folder / "candidate.py").write_text(
        "import os, sys, torch\n"
        "def launch():\n"
        "    known = [name for name in os.environ if name.startswith(('KMAINT', 'PYTEST', 'CUDA_DEVICE'))]\n"
        "    return torch.ones(len(known)), str(sys.argv), 'pytest' in sys.modules\n"
    )
    with remote(folder, folder / "candidate.py", "launch", "cpu") as subject:
        outcome = subject(Case())
    assert [leaf.shape or leaf.value for leaf in outcome.leaves] == [(0,), "\"['candidate']\"", "False"]
