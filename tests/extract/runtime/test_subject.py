"""A candidate's process does not outlive the one that asked it."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

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
import os, pathlib, time
def launch():
    pathlib.Path(__file__).with_name("pid").write_text(str(os.getpid()))
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
    pid = _wait_for(tmp_path / "pid")
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while _is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(pid)


def _wait_for(path: Path) -> int:
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError("the candidate never began")


def _is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().split(")")[1].split()[0] != "Z"
