"""Runs the code under test: the harness's own kernel in this process, a candidate in one of its own.

Copied unchanged into every harness. A candidate's process sees a private view of the harness without anything that says
what is expected, learns a case when it has to run it, and answers with raw bytes through an open file and a line that
repeats the request's nonce. It is killed with its whole group when it takes too long.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import pickle
import secrets
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

import torch

from .cases import Case, Contract
from .loading import load
from .outcomes import Outcome
from .performing import perform
from .sequences import Step, perform_steps
from .starting import Start, start_process
from .view import forbidden_modules, lay_modules, lay_view

__all__ = ["CALL_LIMIT_S", "START_LIMIT_S", "Local", "Remote", "Subject", "SubjectLost", "load", "remote"]

CALL_LIMIT_S = 60.0
"""One call's limit, the candidate's import and first compilation included."""

START_LIMIT_S = 120.0
"""How long a process may take to import torch: on a busy machine tens of seconds, and not the candidate's fault."""

PASSED_ON = (
    *("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LD_PRELOAD", "CUDA_HOME", "CUDA_PATH", "CUDA_VISIBLE_DEVICES"),
    *("TRITON_INTERPRET", "TRITON_PTXAS_PATH", "PYTHONSAFEPATH", "PYTHONHASHSEED", "OMP_NUM_THREADS"),
)
"""What a candidate's process is told of our environment: nothing of who runs it, and why."""

NO_ANSWER = (RuntimeError, ValueError, TypeError, KeyError, AttributeError, EOFError, OSError, pickle.UnpicklingError)
"""What reading an answer that is none may raise."""


class SubjectLost(Exception):
    """The candidate's process ended, was killed or did what none may: `code` is one of the gate's."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Subject(Protocol):
    """Something that makes the calls of cases."""

    def __call__(self, case: Case, *, how: str = "direct") -> Outcome: ...


@dataclasses.dataclass(frozen=True)
class Local:
    """Calls an entry point in this process."""

    entry: Callable[..., Any]
    contract: Contract
    device: str

    def __call__(self, case: Case, *, how: str = "direct") -> Outcome:
        return perform(self.entry, self.contract, case, self.device, how=how)

    def steps(self, steps: Sequence[Step]) -> list[Outcome]:
        return perform_steps(self.entry, self.contract, steps, self.device)


class Remote:
    """Calls the entry point of a candidate in a process of its own. Once lost, it stays lost."""

    def __init__(
        self, folder: Path, candidate: Path, entry: str, device: str, scratch: Path, *, limit_s: float = CALL_LIMIT_S
    ) -> None:
        self._lost, self._ready, self._limit_s = "", False, limit_s
        self._words, self._said = b"", b""
        self._exempt = set(filter(None, os.environ.get("KMAINT_EXEMPT", "").split(",")))
        view, room = scratch / "view", scratch / "room"
        room.mkdir()
        # The framework's own op, held against its harness, may read and import what it likes.
        trusted = bool(os.environ.get("KMAINT_TRUSTED"))
        place = candidate if trusted else lay_view(folder, candidate, view)
        lay_modules(room)
        view = folder if trusted else view
        self._log = (scratch / "subject.log").open("w+b")
        self._kept = tempfile.TemporaryFile(dir=scratch, buffering=0)  # noqa: SIM115 - closed with the process
        self._pipe, theirs = os.pipe()
        os.set_blocking(self._pipe, False)
        start = Start(
            words=("-m", "runtime.serving"),
            walls=() if trusted else prefix(view, room),
            env={**_others(), "PYTHONPATH": str(folder)} if trusted else environment(view, room),
            room=room,
            log=self._log,
            kept=(theirs, self._kept.fileno()),
        )
        self._process = start_process(start, sys.executable)
        os.close(theirs)
        pipe, kept = self._process.numbers
        setup = {
            "view": str(view),
            "candidate": str(place),
            "entry": entry,
            "device": device,
            "forbidden": {} if trusted else forbidden_modules(folder),
            "watched": not trusted,
            "kept": kept,
            "pipe": pipe,
        }
        self._tell(setup)

    def __call__(self, case: Case, *, how: str = "direct") -> Outcome:
        return self._outcomes({"case": case.to_json(), "how": how}, str(case))[0]

    def steps(self, steps: Sequence[Step]) -> list[Outcome]:
        """The calls of a sequence, made one after another in the candidate's process."""
        return self._outcomes(
            {"steps": [step.to_json() for step in steps]}, f"{len(steps)} calls up to {steps[-1].case}"
        )

    def growth(self, cases: Sequence[Case]) -> None:
        """Calls whose results nobody keeps; SubjectLost where the candidate keeps more with each."""
        self._outcomes({"growth": [case.to_json() for case in cases]}, f"{len(cases)} calls")

    def _outcomes(self, request: dict[str, Any], what: str) -> list[Outcome]:
        if self._lost:
            raise SubjectLost("not_run", self._lost)
        self.wait_until_ready(what)
        nonce = secrets.token_hex(16)
        if self._unasked():
            self._lose("spoofed_result", f"answers {self._words[:80]!r} before it is asked")
        self._tell({**request, "nonce": nonce})
        self._hear(self._limit_s, what)
        self._look(what)
        if self._said != json.dumps({"done": nonce}).encode() or self._unasked():
            self._lose("spoofed_result", f"answers {(self._words or self._said)[:80]!r} for {what}")
        outcomes = self._read(what)
        for outcome in outcomes:
            for code, text in outcome.findings:
                if code not in self._exempt:
                    self._lose(code, f"{text}: {what}")
        return outcomes

    def wait_until_ready(self, what: str = "any case") -> None:
        """Until the process has imported torch and, on a GPU, has its context: it has run nothing by then."""
        if self._ready or self._lost:
            return
        self._hear(START_LIMIT_S, what)
        if self._said != b"ready":
            self._lose("spoofed_result", f"says {self._said[:80]!r} before it is asked")
        self._ready = True

    def _read(self, what: str) -> list[Outcome]:
        try:
            # weights_only: a candidate's answer holds tensors and plain values, and can run no code here.
            data = torch.load(io.BytesIO(_whole(self._kept.fileno())), weights_only=True)
            return [Outcome.of_data(one) for one in data["outcomes"]]
        except NO_ANSWER as error:
            self._lose("spoofed_result", f"its answer cannot be read ({type(error).__name__}) for {what}")

    def _tell(self, request: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def _unasked(self) -> bool:
        """Whether a word stands there that answers nothing."""
        if not self._words and select.select([self._process.stdout], [], [], 0.0)[0]:
            self._words += os.read(self._process.stdout.fileno(), 4096)
        return bool(self._words)

    def _hear(self, limit_s: float, what: str) -> None:
        """Read one line into `_said`; what follows it stays in `_words`."""
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._words:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(self._process.stdout.fileno(), 4096) if ready else b""
            if not piece:
                self._look(what)
            if not ready:
                self._lose("timeout", f"no answer within {limit_s:.0f} s for {what}")
            if not piece:
                self._ended(what)
            self._words += piece
        self._said, _, self._words = self._words.partition(b"\n")

    def _ended(self, what: str) -> NoReturn:
        code = self._process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        said = "signal" if code < 0 else "exit"
        self._lose(said, f"its process ended by {how} on {what}: {self._last_words()}")

    def _look(self, what: str) -> None:
        """Lose it over the first finding in the pipe that counts."""
        try:
            lines = os.read(self._pipe, 1 << 16).splitlines()
        except BlockingIOError:
            return
        for line in lines:
            try:
                code, text = json.loads(line)
            except ValueError:
                self._lose("spoofed_result", f"writes to the pipe of its findings on {what}")
            if code not in self._exempt:
                self._lose(code, f"{text}: {what}")

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "no output"

    def _lose(self, code: str, text: str) -> NoReturn:
        self._lost = text
        self.close()
        raise SubjectLost(code, text)

    def close(self) -> None:
        self._process.end()
        with contextlib.suppress(OSError):
            os.close(self._pipe)
        self._pipe = -1
        for stream in (self._process.stdin, self._process.stdout, self._log, self._kept):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _others() -> dict[str, str]:
    """Our environment without what is said in it to us."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KMAINT_")}


def _whole(descriptor: int) -> bytes:
    """All of a file, wherever its other holder has left the position."""
    pieces, at = [], 0
    while piece := os.pread(descriptor, 1 << 26, at):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


def prefix(view: Path, room: Path) -> list[str]:
    """The launcher of the sandbox with its arguments, from KMAINT_SANDBOX; empty where there is none."""
    given = os.environ.get("KMAINT_SANDBOX")
    words = json.loads(given) if given else []
    return [word.replace("{view}", str(view)).replace("{room}", str(room)) for word in words]


def environment(view: Path, room: Path) -> dict[str, str]:
    """What a candidate's process is told: where its own files go, and nothing of who runs it."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    own = ("HOME", "TMPDIR", "TRITON_CACHE_DIR", "TRITON_HOME", "TORCHINDUCTOR_CACHE_DIR", "XDG_CACHE_HOME")
    return {
        **kept,
        **dict.fromkeys(own, str(room)),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "PYTHONPATH": str(view),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextlib.contextmanager
def remote(
    folder: Path, candidate: Path, entry: str, device: str, *, limit_s: float = CALL_LIMIT_S
) -> Iterator[Remote]:
    """A candidate's process for as long as the block lasts; its files lie in a folder that goes with it.

    KMAINT_SUBJECTS names the folder for that one, which goes even where this process is killed.
    """
    where = os.environ.get("KMAINT_SUBJECTS")
    with tempfile.TemporaryDirectory(prefix="kmaint-subject-", dir=where, ignore_cleanup_errors=True) as scratch:
        subject = Remote(folder, candidate, entry, device, Path(scratch), limit_s=limit_s)
        try:
            yield subject
        finally:
            subject.close()
