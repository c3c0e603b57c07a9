"""Calls of a launcher as a framework's own tests and benchmarks make them, read from their source."""

from __future__ import annotations

import contextlib
import json
import subprocess  # noqa: TID251 - the type of what kmaint.child starts
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from extract.shims import SHIMS
from extract.tree import locate
from kmaint import wire
from kmaint.child import clean_environment, conversing
from kmaint.records.call import Call
from kmaint.records.kernel import HostFunction, Kernel, Scan

HERE = Path(__file__).parent
MOST_FILES = 6
"""Files read for one kernel: what more of them would add is mostly other kernels' calls."""

TEST_FOLDERS = frozenset({"test", "tests", "benchmark", "benchmarks", "bench"})


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read of some files: their calls, and how often a call was left out for which reason."""

    calls: tuple[Call, ...]
    left_out: dict[str, int]


@dataclass
class Reader:
    """Reads files in a child with torch, each once. `broken` says why there is no such child (any more)."""

    root: Path
    process: subprocess.Popen[bytes]
    files: dict[str, bytes]
    readings: dict[str, Reading] = field(default_factory=dict)
    broken: str = ""

    def read(self, path: str) -> Reading:
        """All launchers' calls in a file of the tree."""
        if path not in self.readings:
            self.readings[path] = self._ask(path)
        return self.readings[path]

    def of(self, kernel: Kernel, launcher: HostFunction | None) -> Reading:
        """The calls of a launcher, or without one the launches of the kernel itself, in every file with some."""
        wanted = launcher.id if launcher else kernel.id
        paths = self.paths_for(kernel, launcher)
        readings = [self.read(path) for path in paths]
        calls = tuple(call for reading in readings for call in reading.calls if call.launcher == wanted)
        left_out: Counter[str] = Counter()
        for path, reading in zip(paths, readings, strict=True):
            for reason, count in reading.left_out.items():
                if reason.startswith((f"{wanted}:", f"{path}")):
                    left_out[reason] += count
        return Reading(calls=calls, left_out=dict(left_out))

    def paths_for(self, kernel: Kernel, launcher: HostFunction | None) -> list[str]:
        """The test and benchmark files that name the kernel, a launcher of it or a caller of one the most often."""
        hosts = [launcher] if launcher else list(kernel.launchers)
        callers = [name for host in hosts for name in (host.id, *host.callers)]
        words = {name.partition("::")[2].rpartition(".")[2].encode() for name in callers} | {kernel.name.encode()}
        words -= {b"", b"<module>", b"__init__", b"forward", b"__call__", b"main", b"apply"}
        scanned = {name.partition("::")[0] for name in (*kernel.tests, *kernel.benchmarks)} & self.files.keys()
        named = {
            path: sum(self.files[path].count(word) for word in words) + (path in scanned)
            for path in scanned or self.files
        }
        often = sorted((path for path in named if named[path]), key=lambda path: (-named[path], path))
        return often[:MOST_FILES]

    def _ask(self, path: str) -> Reading:
        assert self.process.stdin is not None and self.process.stdout is not None
        if not self.broken:
            try:
                self.process.stdin.write(json.dumps({"path": path}).encode() + b"\n")
                self.process.stdin.flush()
                answer = self.process.stdout.readline()
            except BrokenPipeError:
                answer = b""
            if answer:
                data = json.loads(answer)
                return Reading(calls=wire.load(tuple[Call, ...], data["calls"]), left_out=data["left_out"])
            self.broken = f"the reader of tests ended at {path}: its interpreter may lack torch"
        return Reading(calls=(), left_out={f"{path}: {self.broken}": 1})


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
    environment = clean_environment({"PYTHONPATH": str(HERE)})
    with conversing([python, "-m", "reading"], env=environment, cwd=HERE) as process:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(set_up).encode() + b"\n")
            process.stdin.flush()
        yield Reader(place.root, process, dict(_test_files(place.root)))


def calls_for(
    tree: Path, scan: Scan, kernel: Kernel, launcher: HostFunction | None, *, python: str = sys.executable
) -> list[Call]:
    """The launcher's calls (without one, the kernel's own launches) in the tree's tests and benchmarks."""
    with open_reader(tree, scan, python=python) as reader:
        return list(reader.of(kernel, launcher).calls)


def platform_answers() -> dict[str, bool]:
    """What platform queries come out as, by dotted name, `()` where it is called: the same that a slice is cut for."""
    found: dict[str, bool] = {}
    for target, shim in SHIMS.items():
        if shim.truth is not None:
            found[f"{target}()"] = found[target] = shim.truth
        for name, answer in shim.answers.items():
            found[f"{target}.{name}()"] = found[f"{target}.{name}"] = answer
    return found


def _test_files(root: Path) -> Iterable[tuple[str, bytes]]:
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        of_tests = path.name.startswith(("test_", "bench")) or path.name.endswith("_test.py")
        if (of_tests or TEST_FOLDERS & set(relative.parts)) and path.is_file():
            with contextlib.suppress(OSError):
                yield relative.as_posix(), path.read_bytes()
