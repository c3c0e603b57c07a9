"""Runs the code under test: the harness's own kernel in this process, a candidate in one of its own.

Copied unchanged into every harness. A candidate's process learns a case when it has to run it and never sees what is
expected of it; it answers with raw bytes, and is killed with its whole group when it takes too long.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import torch

from .cases import Case, Contract
from .interpreter import mend
from .outcomes import Leaf, Outcome
from .performing import perform

CALL_LIMIT_S = 60.0
"""One call's limit, the candidate's import and first compilation included."""

START_LIMIT_S = 120.0
"""How long a process may take to import torch: on a busy machine tens of seconds, and not the candidate's fault."""


class SubjectLost(Exception):
    """The candidate's process ended or was killed: `code` is one of the gate's, the text says how."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Subject(Protocol):
    """Something that makes the calls of cases."""

    def __call__(self, case: Case, *, how: str = "direct") -> Outcome: ...


def load(path: Path, name: str) -> ModuleType:
    """Import a file as a module of that name; its own folder is not searched, the harness's is."""
    mend()
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@dataclasses.dataclass(frozen=True)
class Local:
    """Calls an entry point in this process."""

    entry: Callable[..., Any]
    contract: Contract
    device: str

    def __call__(self, case: Case, *, how: str = "direct") -> Outcome:
        return perform(self.entry, self.contract, case, self.device, how=how)


class Remote:
    """Calls the entry point of a candidate in a process of its own. Once lost, it stays lost."""

    def __init__(
        self, folder: Path, candidate: Path, entry: str, device: str, scratch: Path, *, limit_s: float = CALL_LIMIT_S
    ) -> None:
        self._scratch, self._lost, self._count, self._limit_s = scratch, "", 0, limit_s
        self._is_ready = False
        # A warm interpreter of the harness, where whoever runs us has one: torch takes seconds to import.
        warm = json.loads(os.environ.get("KMAINT_WARM", "[]"))
        argv = [*warm, sys.executable, "-m", "runtime.subject", str(folder), str(candidate), entry, device]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KMAINT_")}
        environment = {**kept, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self._log = (scratch / "subject.log").open("wb")
        self._process = subprocess.Popen(
            argv,
            env=environment,
            cwd=scratch,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )

    def __call__(self, case: Case, *, how: str = "direct") -> Outcome:
        if self._lost:
            raise SubjectLost("not_run", self._lost)
        self.wait_until_ready(case)
        self._count += 1
        answer = self._scratch / f"outcome-{self._count}.pt"
        self._ask({"case": case.to_json(), "how": how, "answer": str(answer)})
        # weights_only: a candidate's answer holds tensors and plain values, and can run no code here.
        data = torch.load(answer, weights_only=True)
        answer.unlink()
        return Outcome([Leaf(**leaf) for leaf in data["leaves"]], data["error"], data["overrun"])

    def wait_until_ready(self, case: Case | None = None) -> None:
        """Until the process has imported torch and, on a GPU, has its context: it has run nothing by then."""
        if not self._is_ready and not self._lost:
            self._hear(b"ready\n", START_LIMIT_S, str(case or "any case"))
            self._is_ready = True

    def _ask(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        self._hear(b"done\n", self._limit_s, str(Case(**request["case"])))

    def _hear(self, word: bytes, limit_s: float, what: str) -> None:
        assert self._process.stdout is not None
        deadline = time.monotonic() + limit_s
        said = b""
        while not said.endswith(word):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self._lose("timeout", f"no answer within {limit_s:.0f} s for {what}")
            piece = os.read(self._process.stdout.fileno(), 4096)
            if not piece:
                self._process.wait()
                code = self._process.returncode
                how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
                self._lose(
                    "signal" if code < 0 else "exit",
                    f"its process ended by {how} on {what}: {self._last_words()}",
                )
            said += piece

    def _last_words(self) -> str:
        lines = (self._scratch / "subject.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no output"

    def _lose(self, code: str, text: str) -> None:
        self._lost = text
        self.close()
        raise SubjectLost(code, text)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@contextlib.contextmanager
def remote(
    folder: Path, candidate: Path, entry: str, device: str, *, limit_s: float = CALL_LIMIT_S
) -> Iterator[Remote]:
    """A candidate's process for as long as the block lasts; its answers pass through a folder that goes with it."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="kmaint-subject-", dir=shared if shared.is_dir() else None) as scratch:
        subject = Remote(folder, candidate, entry, device, Path(scratch), limit_s=limit_s)
        try:
            yield subject
        finally:
            subject.close()


def _die_with_parent() -> None:
    """A suite that is killed at its limit takes a hung candidate along, though that leads a session of its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG of <linux/prctl.h>


def serve(folder: Path, candidate: Path, entry: str, device: str) -> None:
    """The candidate's side: one JSON request a line, each answered by a file and the word done."""
    _die_with_parent()
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a candidate prints goes to the log
    contract = Contract.read(folder)
    if device == "cuda":
        torch.zeros(1, device=device)  # a context takes a second, in which others need not wait for the GPU
    answers.write(b"ready\n")
    function = getattr(load(candidate, "kernel"), entry)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        outcome = perform(function, contract, Case(**request["case"]), device, how=request["how"])
        if outcome.error and device == "cuda":
            torch.cuda.synchronize()  # raises again, and ends the process, where the device was left unusable
        leaves = [vars(leaf) for leaf in outcome.leaves]
        torch.save({"leaves": leaves, "error": outcome.error, "overrun": outcome.overrun}, request["answer"])
        answers.write(b"done\n")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
