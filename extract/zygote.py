"""A warm interpreter: imports what a harness and its trials need once, and does each piece of work in a fork of it.

Run by extract.warm in the target's interpreter. Reads one request a line from standard input,

    {"program": FILE, "function": NAME, "arguments": {...}, "folder": FOLDER, "limit_s": SECONDS}

and answers each with one line: {"value": ...} as the function returned it, {"error": "Type: text"} as it raised it, or
{"lost": "SIGSEGV"} where its process ended first or was killed at the limit with its whole group; each says the CPU
seconds that it took, as "cpu_s". Kernels run under Triton's interpreter. Needs torch, triton and the standard library;
numpy, hypothesis and pytest are imported if there.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

OWN = Path(__file__).parent
BEFOREHAND = (
    "triton",
    "triton.language",
    "triton.runtime.interpreter",
    "triton.experimental.gluon.nvidia.hopper",  # for what the interpreter asks of a launch's first argument
    "numpy",
    "hypothesis",
    "hypothesis.strategies",
    "hypothesis.database",
    "pytest",
    "runtime.cases",
    "runtime.suite",
)
"""The runtime is that of every harness: it is copied there unchanged."""

PROGRAMS: dict[str, ModuleType] = {}
"""Programs that are loaded beforehand, by their file."""

MEMORY_BYTES = 8 << 30
"""What a fork may map beyond what it starts with: a contract gone wrong must not take the machine along."""


def warm() -> None:
    """Import beforehand what each fork would; torch must be there, the rest may be missing."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    torch.set_num_threads(1)  # threads would not survive a fork
    sys.path.insert(0, str(OWN))
    for name in BEFOREHAND:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)

    class Passing(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by mypy
        def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    with Passing():  # the first use of such a mode imports for 1.6 s
        torch.empty(1)
    for name in ("trial.py", "direct_probe.py"):
        with contextlib.suppress(ModuleNotFoundError):
            PROGRAMS[str(OWN / name)] = load(str(OWN / name))
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("runtime.interpreter").mend()
    sys.path.remove(str(OWN))


def load(program: str) -> ModuleType:
    """The program as a module."""
    spec = importlib.util.spec_from_file_location("program", program)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["program"] = module  # as dataclasses want it
    spec.loader.exec_module(module)
    return module


def work(request: dict[str, Any]) -> dict[str, Any]:
    """What the function of the program answers; runs in the fork."""
    os.chdir(request["folder"])
    sys.path.insert(0, request["folder"])
    try:
        program = PROGRAMS.get(request["program"]) or load(request["program"])
        return {"value": getattr(program, request["function"])(**request["arguments"])}
    except BaseException as error:  # noqa: BLE001 - whatever somebody's code raises is the answer
        lines = str(error).splitlines() or [""]
        return {"error": f"{type(error).__name__}: {lines[0]}".removesuffix(": ")}


def in_fork(request: dict[str, Any]) -> dict[str, Any]:
    """The answer of a fork that leads a session of its own and is dead, with all it started, when this returns."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(reader)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        limit = _mapped_bytes() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        with os.fdopen(writer, "w") as stream:
            stream.write(json.dumps(work(request)))
        os._exit(0)
    os.close(writer)
    said, timed_out = _heard(reader, request["limit_s"])
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)  # it may not lead its group yet
    _, status, usage = os.wait4(child, 0)
    answer = {"lost": f"no answer within {request['limit_s']:g} s"} if timed_out else _understood(said, status)
    return {**answer, "cpu_s": usage.ru_utime + usage.ru_stime}


def _understood(said: bytes, status: int) -> dict[str, Any]:
    """What a fork said, or how it ended where that is nothing whole."""
    with contextlib.suppress(ValueError):
        return dict(json.loads(said))
    if os.WIFSIGNALED(status):
        return {"lost": f"ended by {signal.Signals(os.WTERMSIG(status)).name}"}
    return {"lost": f"ended with exit status {os.WEXITSTATUS(status)}"}


def _heard(reader: int, limit_s: float) -> tuple[bytes, bool]:
    """All that comes until the other end is closed, and whether that took too long."""
    deadline, said = time.monotonic() + limit_s, b""
    with os.fdopen(reader, "rb", buffering=0) as stream:
        while True:
            ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return said, True
            piece = os.read(stream.fileno(), 1 << 16)
            if not piece:
                return said, False
            said += piece


def _mapped_bytes() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - pathlib is no part of what runs in every fork
        return int(file.read().split()[0]) * resource.getpagesize()


def main() -> None:
    """Serve requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    try:
        warm()
    except ModuleNotFoundError as error:
        answers.write(json.dumps({"missing": error.name}) + "\n")
        return
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page that it looks at
    answers.write(json.dumps({"ready": True}) + "\n")
    for line in sys.stdin:
        answers.write(json.dumps(in_fork(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
