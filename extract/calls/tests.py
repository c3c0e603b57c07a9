"""Calls of a launcher as a framework's own tests and benchmarks make them, read from their source."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from extract.slicing.shims import SHIMS
from extract.tree import locate
from kmaint import wire
from kmaint.child import clean_environment
from kmaint.forking.programs import Program
from kmaint.forking.stem import stem
from kmaint.records.call import Call
from kmaint.records.kernel import HostFunction, Kernel, Scan

HERE = Path(__file__).parent
LIMIT_S = 5.0
"""What reading for one kernel may take; a test that was read for an earlier kernel takes nothing."""

ENOUGH = 128
"""Calls of one kernel after which no further test is read: a contract keeps a dozen as workloads."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read of some tests: the calls in them, and how often a call was left out for which reason."""

    calls: tuple[Call, ...]
    left_out: dict[str, int]


@dataclass
class Reader:
    """Reads tests in a child with torch, each once. `broken` says why there is no such child (any more)."""

    stdin: IO[bytes]
    stdout: IO[bytes]
    readings: dict[str, Reading] = field(default_factory=dict)
    spent_s: dict[str, float] = field(default_factory=dict)
    """By the kernel that it was spent on, at the level of its launcher and at its own."""
    broken: str = ""

    def of(self, kernel: Kernel, launcher: HostFunction | None) -> Reading:
        """The calls of a launcher, or without one the launches of the kernel itself, in what a scan says reaches it.

        Tests and benchmarks take turns, the nearest first, until LIMIT_S is over.
        """
        wanted, started = launcher.id if launcher else kernel.id, time.monotonic()
        deadline = started + LIMIT_S - self.spent_s.get(kernel.id, 0.0)
        calls: list[Call] = []
        left_out: Counter[str] = Counter()
        for one in _in_turn(kernel.tests, kernel.benchmarks):
            left_s = deadline - time.monotonic()
            if one not in self.readings and (left_s <= 0 or len(calls) >= ENOUGH):
                continue
            reading = self.read(one, limit_s=left_s)
            calls += [call for call in reading.calls if call.launcher == wanted]
            for reason, count in reading.left_out.items():
                if reason.startswith((f"{wanted}:", one)):
                    left_out[reason] += count
        self.spent_s[kernel.id] = self.spent_s.get(kernel.id, 0.0) + time.monotonic() - started
        return Reading(calls=tuple(calls), left_out=dict(left_out))

    def read(self, name: str, *, limit_s: float = LIMIT_S) -> Reading:
        """All launchers' calls in a test or benchmark, `path::qualname`, or in all of a file, `path`."""
        if name not in self.readings:
            self.readings[name] = self._ask(name, limit_s)
        return self.readings[name]

    def _ask(self, name: str, limit_s: float) -> Reading:
        path, _, entry = name.partition("::")
        if not self.broken:
            try:
                request = {"path": path, "entry": entry, "limit_s": limit_s}
                self.stdin.write(json.dumps(request).encode() + b"\n")
                self.stdin.flush()
                answer = self.stdout.readline()
            except BrokenPipeError:
                answer = b""
            if answer:
                data = json.loads(answer)
                return Reading(calls=wire.load(tuple[Call, ...], data["calls"]), left_out=data["left_out"])
            self.broken = f"the reader of tests ended at {name}: its interpreter may lack torch"
        return Reading(calls=(), left_out={f"{name}: {self.broken}": 1})


def _in_turn(*sources: Iterable[str]) -> Iterator[str]:
    for together in itertools.zip_longest(*sources):
        yield from (one for one in together if one is not None)


@contextlib.contextmanager
def open_reader(tree: Path, scan: Scan, *, python: str = sys.executable) -> Iterator[Reader]:
    """A reader of the tree's tests and benchmarks; `python` is an interpreter that has torch."""
    place = locate(tree)
    launchers = sorted({host.id for kernel in scan.kernels for host in kernel.launchers})
    set_up = {
        "root": str(place.root),
        "package_root": str(place.package_root),
        "launchers": launchers,
        "answers": platform_answers(),
    }
    program = Program(argv=["-m", "reading"], env=clean_environment({"PYTHONPATH": str(HERE)}), cwd=HERE)
    with stem(python).conversing(program) as (stdin, stdout):
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(set_up).encode() + b"\n")
            stdin.flush()
        yield Reader(stdin, stdout)


def platform_answers() -> dict[str, bool]:
    """What platform queries come out as, by dotted name, `()` where it is called: the same that a slice is cut for."""
    found: dict[str, bool] = {}
    for target, shim in SHIMS.items():
        if shim.truth is not None:
            found[f"{target}()"] = found[target] = shim.truth
        for name, answer in shim.answers.items():
            found[f"{target}.{name}()"] = found[f"{target}.{name}"] = answer
    return found
