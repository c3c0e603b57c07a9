"""A warm interpreter: imports what a harness and its trials need once, and does each piece of work in a fork of it.

A fork whose request says so is kept for the next in the same folder that says so too.

Run by kmaint.forking.warm in a fork of the target's stem, with what to import beforehand as its argument. Reads one
request a line from standard input,

    {"program": FILE, "function": NAME, "arguments": {...}, "folder": FOLDER, "limit_s": SECONDS, "keep": BOOLEAN}

and answers each with one line: {"value": ...} as the function returned it, {"error": "Type: text"} as it raised it, or
{"lost": "SIGSEGV"} where its process ended first or was killed at the limit with its whole group; each says the CPU
seconds that it took, as "cpu_s". Kernels run under Triton's interpreter. Needs torch, triton and the standard library;
numpy, hypothesis and pytest are imported if there.
"""

from __future__ import annotations

import contextlib
import ctypes
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
from types import ModuleType
from typing import Any, NoReturn

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
)
"""What every fork may need."""

BARE = (
    *(name for name in BEFOREHAND if name.partition(".")[0] not in ("hypothesis", "pytest")),
    *("triton.testing", "torch.utils.benchmark"),  # of which it keeps a picture before it imports the candidate
)
"""What a candidate's process may need: that somebody tests it is no business of its."""

PROGRAMS: dict[str, ModuleType] = {}
"""Programs that are loaded beforehand, by their file."""

MEMORY_BYTES = 8 << 30
"""What a fork may map beyond what it starts with: a contract gone wrong must not take the machine along."""


def warm(path: str, modules: list[str], programs: list[str], calls: list[str], *, bare: bool = False) -> None:
    """Import beforehand what each fork would; torch must be there, the rest may be missing.

    `modules` are looked for in the folder `path` too, and each of `calls` is MODULE:FUNCTION, called once.
    """
    warm_torch()
    sys.path.insert(0, path)
    for name in (*(BARE if bare else BEFOREHAND), *modules):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    for program in programs:
        with contextlib.suppress(ModuleNotFoundError):
            PROGRAMS[program] = load(program)
    for call in calls:
        module, _, function = call.partition(":")
        with contextlib.suppress(ModuleNotFoundError):
            getattr(importlib.import_module(module), function, _nothing)()  # another release may not have it
    sys.path.remove(path)


def _nothing() -> None:
    """In place of what is not there."""


def warm_torch() -> None:
    """Import torch, and what the first use of a mode of its own may import."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    torch.set_num_threads(1)  # threads would not survive a fork

    class Passing(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by mypy
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            """As those of the harness do, where torch asks: its compiler takes seconds to import."""
            return False

        def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    with Passing():
        torch.empty(1)


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
    if sys.path[0] != request["folder"]:
        sys.path.insert(0, request["folder"])
    try:
        program = PROGRAMS.get(request["program"]) or load(request["program"])
        return {"value": getattr(program, request["function"])(**request["arguments"])}
    except BaseException as error:  # noqa: BLE001 - whatever somebody's code raises is the answer
        lines = str(error).splitlines() or [""]
        return {"error": f"{type(error).__name__}: {lines[0]}".removesuffix(": ")}


class Fork:
    """A fork of this interpreter at work in one folder; it leads a session of its own."""

    def __init__(self, folder: str) -> None:
        self.folder, self._spent_s = folder, 0.0
        theirs, self._requests = os.pipe()
        self._answers, back = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.close(self._requests)
            os.close(self._answers)
            _serve(theirs, back)
        os.close(theirs)
        os.close(back)

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """What it answers, and whether it is still there to be asked again."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._requests, json.dumps(request).encode() + b"\n")
        said, timed_out = _heard(self._answers, request["limit_s"])
        if said.endswith(b"\n"):
            answer = dict(json.loads(said))
            answer["cpu_s"], self._spent_s = answer["cpu_s"] - self._spent_s, answer["cpu_s"]
            return answer, True
        status, usage = self.end()
        if timed_out:
            how = f"no answer within {request['limit_s']:g} s"
        elif os.WIFSIGNALED(status):
            how = f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
        else:
            how = f"ended with exit status {os.WEXITSTATUS(status)}"
        return {"lost": how, "cpu_s": usage.ru_utime + usage.ru_stime - self._spent_s}, False

    def end(self) -> tuple[int, resource.struct_rusage]:
        """Kill it with all that it started; its exit status, which is its own where it had ended before."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL)  # it may not lead its group yet
        _, status, usage = os.wait4(self._child, 0)
        os.close(self._requests)
        os.close(self._answers)
        return status, usage


def _die_with_parent() -> None:
    """Whoever is killed, be it so that it can clean nothing up, takes along what works for it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG of <linux/prctl.h>


def _serve(requests: int, answers: int) -> NoReturn:
    """The fork's side: a line for each line until there are no more."""
    _die_with_parent()
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    limit = _mapped_bytes() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with os.fdopen(requests) as lines, os.fdopen(answers, "w") as stream:
        for line in lines:
            stream.write(json.dumps({**work(json.loads(line)), "cpu_s": time.process_time()}) + "\n")
            stream.flush()
    os._exit(0)


def _heard(reader: int, limit_s: float) -> tuple[bytes, bool]:
    """All that comes until a line or the stream ends, and whether that took too long."""
    deadline, said = time.monotonic() + limit_s, b""
    while not said.endswith(b"\n"):
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return said, True
        piece = os.read(reader, 1 << 16)
        if not piece:
            return said, False
        said += piece
    return said, False


def _mapped_bytes() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - pathlib is no part of what runs in every fork
        return int(file.read().split()[0]) * resource.getpagesize()


def main() -> None:
    """Serve requests until standard input ends."""
    _die_with_parent()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    warm(**json.loads(sys.argv[1]))
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page that it looks at
    gc.disable()  # and no fork lives long enough to need one
    signal.signal(signal.SIGTERM, _leave)
    answers.write(json.dumps({"ready": True}) + "\n")
    fork: Fork | None = None
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if fork is not None and not (request["keep"] and fork.folder == request["folder"]):
                fork.end()
                fork = None
            fork = fork or Fork(request["folder"])
            answer, there = fork.ask(request)
            if there and not request["keep"]:
                fork.end()
            fork = fork if there and request["keep"] else None
            answers.write(json.dumps(answer) + "\n")
    finally:
        if fork is not None:
            fork.end()


def _leave(*_: object) -> NoReturn:
    """On the way out, what works for us is ended."""
    raise SystemExit


if __name__ == "__main__":
    main()
