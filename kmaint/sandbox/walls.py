"""Which walls stand around measured code on this machine, found out by having something try to get through them."""

from __future__ import annotations

import functools
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kmaint.child import run_child

Level = Literal["bubblewrap", "landlock", "none"]
LEVELS: tuple[Level, ...] = ("bubblewrap", "landlock", "none")

LAUNCHER = Path(__file__).with_name("launcher.py")
TRIAL = Path(__file__).with_name("trial.py")

VIEW, ROOM = "{view}", "{room}"
"""In a prefix: the folder that measured code may read, and the one it may write."""

MEMORY_BYTES = 48 << 30
"""Of address space, without a GPU: torch alone reserves several GiB that it never touches."""
DISK_BYTES = 1 << 30
PROCESSES = 256

SYSTEM = (
    *("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/opt", "/sys", "/etc/ld.so.cache", "/etc/ld.so.conf"),
    *("/etc/ld.so.conf.d", "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/alternatives"),
)
OF_PROC = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys", "/proc/version", "/proc/driver")
NAMES_OF_THREADS = "/proc/self/task"
"""CUDA's driver names its threads through files in there, and does not start (error 304) where it may not."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

PLACES = """
import sys
packages = [path for path in sys.path if path.endswith("-packages")]
print(*{sys.prefix, sys.base_prefix, sys.exec_prefix, *packages}, sep="\\n")
"""
"""An environment may take packages from another one too."""


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """The strongest level that passed its self-test, and the words that put a command inside it."""

    level: Level
    prefix: tuple[str, ...]
    within: tuple[str, ...] = ()
    """What launcher.py's confine() takes to shut a process in that runs already; it may start compilers."""
    reason: str = ""
    """Why it is no stronger one."""

    def around(self, view: Path | str, room: Path) -> list[str]:
        """The words before a command that reads `view` and writes `room`."""
        return [word.replace(VIEW, str(view)).replace(ROOM, str(room)) for word in self.prefix]


NO_WALLS = Sandbox(level="none", prefix=(), reason="not tried")


@functools.cache
def sandbox(python: Path, *, gpu: bool, most: Level = "bubblewrap") -> Sandbox:
    """The strongest level, no stronger than `most`, through which the trial did not get; tried once a process."""
    reasons = []
    for level in LEVELS[LEVELS.index(most) :]:
        if level == "none":
            break
        if level == "bubblewrap" and shutil.which("bwrap") is None:
            reasons.append("bubblewrap: not installed")
            continue
        prefix = _prefix(level, python, gpu=gpu)
        if fault := _breach(Sandbox(level=level, prefix=prefix), python, gpu=gpu):
            reasons.append(f"{level}: {fault}")
            continue
        return Sandbox(level=level, prefix=prefix, within=_within(python, gpu=gpu), reason="; ".join(reasons))
    return Sandbox(level="none", prefix=(), reason="; ".join(reasons))


def _prefix(level: Level, python: Path, *, gpu: bool) -> tuple[str, ...]:
    limits = ("--disk", str(DISK_BYTES), *(("--processes", str(PROCESSES)) if gpu else ("--memory", str(MEMORY_BYTES))))
    launcher = (str(python), "-I", "-S", str(LAUNCHER))
    if level == "landlock":
        return (*launcher, *_landlocked(python, gpu=gpu), *limits, "--")
    binds = [word for path in (*_readable(python), str(LAUNCHER)) for word in ("--ro-bind-try", path, path)]
    nodes = [word for path in _devices(gpu=gpu) for word in ("--dev-bind-try", path, path)]
    return (
        *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--size", str(DISK_BYTES), "--tmpfs", "/tmp"),  # noqa: S108 - a new one, inside
        *(*binds, "--proc", "/proc", "--dev", "/dev", *nodes, "--ro-bind", VIEW, VIEW),
        *("--size", str(DISK_BYTES), "--tmpfs", ROOM, "--remount-ro", "/", "--chdir", ROOM, "--"),
        *(*launcher, "--no-landlock", *limits, "--"),
    )


def _within(python: Path, *, gpu: bool) -> tuple[str, ...]:
    limits = ("--disk", str(DISK_BYTES), "--processes", str(PROCESSES))
    return (*_landlocked(python, gpu=gpu), *limits, "--keep", "--")


def _landlocked(python: Path, *, gpu: bool) -> list[str]:
    """What may be read, and written: launcher.py's words for Landlock's rules."""
    reads = [word for path in (*_readable(python), *OF_PROC, VIEW) for word in ("--read", path)]
    own = (*DEVICES, *_devices(gpu=gpu), *([NAMES_OF_THREADS] if gpu else []))
    return [*reads, "--write", ROOM, *(word for path in own for word in ("--device", path))]


def _readable(python: Path) -> list[str]:
    """What an interpreter needs to start and to import torch: the system's folders and its own."""
    finished = run_child([python, "-c", PLACES], timeout_s=60.0)
    own = [line for line in finished.stdout.splitlines() if line.startswith("/")]
    more = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if name in os.environ]
    real = [str(Path(path).resolve()) for path in [*own, *more, str(python)]]
    return list(dict.fromkeys((*SYSTEM, *own, *more, *real)))


def _devices(*, gpu: bool) -> list[str]:
    """The nodes of NVIDIA's driver, one by one; no other device of the machine."""
    return sorted(str(node) for node in Path("/dev").glob("nvidia*") if not node.is_dir()) if gpu else []


def _breach(walls: Sandbox, python: Path, *, gpu: bool) -> str:
    """What got through, or why not even honest code ran; empty where the walls hold."""
    with tempfile.TemporaryDirectory(prefix="kmaint-walls-") as name:
        outer = Path(name)
        view, room, secret = outer / "view", outer / "room", outer / "secret"
        view.mkdir()
        room.mkdir()
        secret.write_text("not to be read")
        shutil.copy(TRIAL, view / "trial.py")
        asked = json.dumps({"secret": str(secret), "outside": str(outer), "parent": os.getpid(), "gpu": gpu})
        finished = run_child(
            [*walls.around(view, room), python, view / "trial.py", asked], timeout_s=60.0, env=_bare(room), cwd=room
        )
        try:
            found: Mapping[str, bool] = json.loads(finished.stdout)
        except ValueError:
            lines = finished.stderr.strip().splitlines()
            return f"nothing runs in it: {lines[-1] if lines else f'exit status {finished.code}'}"
        left = (outer / "written").exists()
    through = [what for what, got in found.items() if got] + (["write outside"] if left else [])
    return f"it does not keep out: {', '.join(through)}" if through else ""


def _bare(room: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(room), "TMPDIR": str(room)}
