"""What a mutant is put through, in forks of a warm interpreter (kmaint/forking) that work in the harness's folder.

Needs what the harness needs. The mutant is kmaint's own and has nothing to hide or to find out, so it runs in a fork of
the suite's process, where the gate starts a fresh interpreter for a candidate; that saves seconds for each.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NoReturn


def suite(arguments: list[str], settings: dict[str, str]) -> int:
    """Run pytest on the folder's suite; its exit status."""
    os.environ.update({**settings, "KMAINT_TRUSTED": "1"})
    _fork_subjects(importlib.import_module("runtime.subject"))
    return int(importlib.import_module("pytest").main([*arguments, "--capture=no"]))


def _fork_subjects(subject: Any) -> None:
    """Let the runtime fork where it would start a process."""

    class Forked(subject.Remote):  # type: ignore[misc]  # the harness's own runtime is not read by mypy
        def _started(self, _argv: list[str], _env: dict[str, str], room: Path, _pipe: int) -> Child:
            return Child(functools.partial(_serve, room), self._log)

    subject.Remote = Forked


def _serve(room: Path) -> None:
    os.chdir(room)
    importlib.import_module("runtime.serving").main()


class Child:
    """A fork of this process, to be talked to as a subprocess.Popen is."""

    def __init__(self, work: Callable[[], None], log: IO[bytes]) -> None:
        theirs, ours = os.pipe()
        answers, back = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            for descriptor, standard in ((theirs, 0), (back, 1), (log.fileno(), 2)):
                os.dup2(descriptor, standard)
            for descriptor in (theirs, ours, answers, back):
                os.close(descriptor)
            _work(work)
        os.close(theirs)
        os.close(back)
        self.stdin, self.stdout = os.fdopen(ours, "wb"), os.fdopen(answers, "rb", buffering=0)

    def wait(self) -> int:
        """Its exit status, or minus the signal that ended it."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


def _work(work: Callable[[], None]) -> NoReturn:
    os.setsid()
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    try:
        work()
    except BaseException:  # noqa: BLE001 - what a mutant raises on import stands in its log
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def originals(entry: str, cases: list[dict[str, Any]], budget_s: float) -> list[str]:
    """What the original does on each case, as a digest of all its bits; of as many as the seconds allow, in order."""
    calls, found, started = _Calls("kernel.py", entry), list[str](), time.monotonic()
    for number, case in enumerate(cases):
        found.append(calls.digest(number, case))
        if time.monotonic() - started > budget_s:
            break
    return found


def first_change(entry: str, candidate: str, cases: list[dict[str, Any]], expected: list[str]) -> dict[str, Any] | None:
    """The first case on which the candidate does what no suite should allow, in words; else the first with other bits.

    None where there is none of those either.
    """
    calls, original, rounded = _Calls(candidate, entry), _Calls("kernel.py", entry), None
    for number, (case, digest) in enumerate(zip(cases, expected, strict=False)):
        if calls.digest(number, case) != digest:
            found = calls.difference(original, number, case)
            if not found["rounding"]:
                return found
            rounded = rounded or found
    return rounded


class _Calls:
    """Makes the calls of drawn cases with one file's entry."""

    def __init__(self, file: str, entry: str) -> None:
        here = Path.cwd()
        self._cases = importlib.import_module("runtime.cases")
        self._contract = self._cases.Contract.read(here)
        subject = importlib.import_module("runtime.subject")
        self._entry = getattr(subject.load(Path(file).resolve(), "kernel"), entry)

    def _case(self, number: int, case: dict[str, Any]) -> Any:
        profiles = importlib.import_module("runtime.contents").PROFILES
        return self._cases.Case(**case, values=profiles[number % len(profiles)])

    def outcome(self, number: int, case: dict[str, Any]) -> Any:
        perform = importlib.import_module("runtime.performing").perform
        return perform(self._entry, self._contract, self._case(number, case), "cpu")

    def digest(self, number: int, case: dict[str, Any]) -> str:
        """All that the call gave back or left behind; one NaN is as good as another."""
        found, outcome = hashlib.sha256(), self.outcome(number, case)
        found.update(f"{outcome.error.partition(':')[0]} {bool(outcome.overrun)}".encode())
        for leaf in outcome.leaves:
            if leaf.kind != "scratch":
                what = (leaf.path, leaf.kind, leaf.value, leaf.dtype, leaf.shape, leaf.strides, leaf.alias)
                found.update(repr(what).encode())
                found.update(_bits(leaf))
        return found.hexdigest()

    def difference(self, original: _Calls, number: int, case: dict[str, Any]) -> dict[str, Any]:
        """What differs and on which case; `rounding` where it is within what the suite allows."""
        judge = importlib.import_module("runtime.judge")
        expected, actual = original.outcome(number, case), self.outcome(number, case)
        truth = functools.partial(self._truth, number, case) if Path("reference.py").is_file() else None
        told = judge.differences(expected, actual, truth=truth)
        unjudged = told and not judge.differences(expected, actual, interpreted=True, truth=truth)
        if not told and not expected.error and truth is not None:
            less_accurate = importlib.import_module("runtime.properties").less_accurate
            told = less_accurate(truth, expected, actual, interpreted=True)
        exact = told or judge.differences(expected, actual, exact=True)
        text = exact[0].text if exact else "the sign of a zero, or bytes between the elements, differ"
        text = f"judged on a GPU only: {text}" if unjudged else text
        return {"case": repr(self._case(number, case)), "text": text, "rounding": not told}

    def _truth(self, number: int, case: dict[str, Any], draw: int = 0) -> dict[str, Any]:
        """What the float64 recomputation gives, of the case as the draw moves it."""
        upcast = importlib.import_module("runtime.properties").upcast
        build = importlib.import_module("runtime.building").build
        found: dict[str, Any] = importlib.import_module("reference").reference(
            **upcast(build(self._contract, self._case(number, case), "cpu"), draw)
        )
        return found


def _bits(leaf: Any) -> bytes:
    import torch

    outcomes, judge = importlib.import_module("runtime.outcomes"), importlib.import_module("runtime.judge")
    if leaf.kind == "value":
        return b""
    values = outcomes.tensor_of(leaf)
    if values.dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        values = torch.where(values.isnan(), torch.nan, values)
    flat = values.contiguous().reshape(-1)
    raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    damaged = 0
    with contextlib.suppress(RuntimeError):
        damaged = judge.damaged(leaf)
    return raw + bytes([damaged > 0])
