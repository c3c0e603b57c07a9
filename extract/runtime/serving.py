"""The candidate's side: one JSON request a line, each answered through a file and a line that repeats its nonce.

Copied unchanged into every harness. Runs in a view of the harness that holds nothing of what is expected.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .cases import Case, Contract
from .guard import Guard
from .interpreter import mend
from .loading import load
from .performing import perform
from .sequences import Step, growth, perform_steps
from .snapshot import Snapshot


def serve(setup: dict[str, Any], answers: int, kept: int, pipe: int) -> None:
    """`answers`, `kept` and `pipe` are the descriptors of the lines, of the answers' file and of the findings."""
    device = setup["device"]
    contract = Contract.read(Path(setup["view"]))
    mend()
    import triton.testing  # noqa: F401 - so that its functions are known before the candidate could change them

    if (Path(setup["view"]) / "shims.py").is_file():
        importlib.import_module("shims")  # ours: what it stands in for is no doing of the candidate's
    if importlib.util.find_spec("runtime.jit") is not None:  # a CUDA harness: its modules are loaded by this package
        with contextlib.suppress(ImportError):
            importlib.import_module("tvm_ffi")
    if device == "cuda":
        torch.zeros(1, device=device)  # a context takes a second, in which others need not wait for the GPU
    gc.freeze()  # what is there now is not the candidate's: a look at all objects leaves it out
    guard = Guard([Path(setup["view"]) / "runtime"], setup["forbidden"], pipe)
    if setup["watched"]:
        guard.watch()
    snapshot = Snapshot() if setup["watched"] else None
    os.write(answers, b"ready\n")
    requests, sys.argv = sys.stdin.buffer, ["candidate"]
    function = getattr(load(Path(setup["candidate"]), "candidate"), setup["entry"])
    _look(guard, snapshot)
    for line in requests:
        request = json.loads(line)
        data = _answer(function, contract, request, device, guard)
        _look(guard, snapshot)
        with guard.aside():
            os.ftruncate(kept, 0)
            os.lseek(kept, 0, os.SEEK_SET)
            with os.fdopen(os.dup(kept), "wb") as file:
                torch.save(data, file)
            os.write(answers, json.dumps({"done": request["nonce"]}).encode() + b"\n")


def _answer(
    function: Callable[..., Any], contract: Contract, request: dict[str, Any], device: str, guard: Guard
) -> dict[str, Any]:
    match request:
        case {"steps": list(steps)}:
            outcomes = perform_steps(
                function, contract, [Step.of_json(step) for step in steps], device, guard.still_running
            )
        case {"growth": list(cases)}:
            first, second, third = growth(function, contract, [Case(**case) for case in cases], device)
            if first < second < third:  # a cache or scratch memory of its own is full by then, and stays
                guard.report("leaked_memory", f"keeps {third - second} bytes more after {len(cases) // 3} more calls")
            outcomes = []
        case _:
            outcomes = [perform(function, contract, Case(**request["case"]), device, how=request["how"])]
    if device == "cuda" and any(outcome.error for outcome in outcomes):
        torch.cuda.synchronize()  # raises again, and ends the process, where the device was left unusable
    return {"outcomes": [outcome.to_data() for outcome in outcomes]}


def _look(guard: Guard, snapshot: Snapshot | None) -> None:
    """Report what a call or the import left behind; nothing of one that is trusted."""
    if snapshot is None:
        return
    if guard.still_running():
        guard.report("hidden_thread", "a thread that it started is still running")
    with guard.aside():
        if changed := snapshot.change():
            guard.report("tampered", changed)
        if _children():
            guard.report("hidden_process", "a process that it started is still running")


def _children() -> bool:
    """Whether a child of this process is alive; a compiler has ended when the call that needed it returns."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return listed.is_file() and bool(listed.read_text().strip())


def _die_with_parent() -> None:
    """A suite that is killed at its limit takes a hung candidate along, though that leads a session of its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG of <linux/prctl.h>


def main() -> None:
    """The first line on standard input is the set-up; standard output becomes standard error, which is the log."""
    _die_with_parent()
    setup = json.loads(sys.stdin.buffer.readline())
    answers = os.dup(1)
    os.dup2(2, 1)
    serve(setup, answers, setup["kept"], setup["pipe"])


if __name__ == "__main__":
    main()
