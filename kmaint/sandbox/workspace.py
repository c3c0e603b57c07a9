"""Walls for a program that edits files in one folder and asks a model elsewhere: it may write nowhere else.

Unlike measured code it keeps the network, may start programs, and reads what the user can read.
"""

from __future__ import annotations

import functools
import shutil
import sys
import tempfile
from pathlib import Path

from kmaint.child import clean_environment, run_child
from kmaint.sandbox.walls import DEVICES, LAUNCHER, LEVELS, ROOM, Level, Sandbox

TERMINALS = ("/dev/tty", "/dev/ptmx", "/dev/pts")

TRIAL = """
import pathlib, socket, sys
pathlib.Path("kept").write_text("what is edited stays")
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 9))
try:
    (pathlib.Path(sys.argv[1]) / "written").write_text("outside")
except OSError:
    pass
"""


@functools.cache
def workspace_walls(*, most: Level = "bubblewrap") -> Sandbox:
    """The strongest level, no stronger than `most`, out of which the trial could not write; tried once a process."""
    reasons = []
    for level in LEVELS[LEVELS.index(most) : -1]:
        if level == "bubblewrap" and shutil.which("bwrap") is None:
            reasons.append("bubblewrap: not installed")
            continue
        found = Sandbox(level=level, prefix=_prefix(level), reason="; ".join(reasons))
        if not (fault := _breach(found)):
            return found
        reasons.append(f"{level}: {fault}")
    return Sandbox(level="none", prefix=(), reason="; ".join(reasons))


def _prefix(level: Level) -> tuple[str, ...]:
    if level == "bubblewrap":
        return (
            *("bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"),
            *("--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
            *("--bind", ROOM, ROOM, "--chdir", ROOM, "--"),
        )
    nodes = [word for path in (*DEVICES, *TERMINALS) for word in ("--device", path)]
    launcher = (sys.executable, "-I", "-S", str(LAUNCHER), "--outward", "--read", "/", "--write", ROOM)
    return (*launcher, *nodes, "--")


def _breach(walls: Sandbox) -> str:
    """What is wrong with these walls; empty where they hold and let through what they must."""
    with tempfile.TemporaryDirectory(prefix="kmaint-walls-") as name:
        outer, room = Path(name), Path(name) / "room"
        room.mkdir()
        program = [sys.executable, "-I", "-S", "-c", TRIAL, str(outer)]
        finished = run_child([*walls.around(room, room), *program], timeout_s=30.0, env=clean_environment(), cwd=room)
        if (outer / "written").exists():
            return "it does not keep out: write outside"
        if finished.code != 0 or not (room / "kept").exists():
            lines = finished.stderr.strip().splitlines()
            return f"nothing runs in it: {lines[-1] if lines else f'exit status {finished.code}'}"
    return ""
