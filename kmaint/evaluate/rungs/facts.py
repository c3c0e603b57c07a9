"""Rung 2: what the compiler makes of a candidate for the target, and of the original to compare it with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kmaint import wire
from kmaint.errors import HarnessError
from kmaint.evaluate.bench import Answer, Bench, Done, Failed, Lost, Request, ask, lay, refer, side_by_side, walls_for
from kmaint.evaluate.bench.laying import kept_libraries, sources_digest
from kmaint.evaluate.rungs.profile import Launch
from kmaint.evaluate.rungs.suite import verdict_of
from kmaint.folder import KERNEL
from kmaint.records.evaluation import Dishonest, NotBuilt, Rejection, Resources
from kmaint.records.harness import Harness

MOST_SHARED_BYTES = {"sm_80": 163 * 1024, "sm_90": 227 * 1024, "sm_100": 227 * 1024}
MOST_REGISTERS = 65536
"""Of all threads of one program."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A kernel in a CUDA library, by its mangled name; `stack_bytes` is where what does not fit into registers goes."""

    kernel: str
    registers: int
    shared_bytes: int
    stack_bytes: int


@dataclass(frozen=True, kw_only=True)
class Built:
    """Every launch of every workload, the torch operators that did arithmetic, and the workloads not compiled.

    Of CUDA C++ nobody knows before it runs what will be launched, so there are no launches but `kernels`, whatever was
    compiled, and for operators the symbols that a library takes from others.
    """

    launches: tuple[Launch, ...]
    operators: tuple[str, ...]
    left_out: tuple[str, ...]
    kernels: tuple[Compiled, ...] = ()

    @property
    def resources(self) -> tuple[Resources, ...]:
        return tuple(launch.resources for launch in self.launches)

    @property
    def is_library(self) -> bool:
        """Whether nothing of its own runs: torch's operators do all of its arithmetic."""
        return bool(self.operators) and not (self.launches or self.kernels or self.left_out)


def compile_all(
    harness: Harness, sources: Sequence[Path], bench: Bench, scratch: Path, *, only: Sequence[str] | None = None
) -> list[Built | Rejection]:
    """One result for each file, in order; a file that fails costs the others nothing. `only` names workloads.

    Many files are shared out to as many processes as the bench has cores for one candidate.
    """
    if harness.language == "cuda":
        return _build_all(harness, sources, bench, scratch, walls=_walls(harness, sources, bench, scratch))
    parts = [sources[first :: bench.threads] for first in range(min(bench.threads, len(sources)))]
    share = replace(bench, threads=max(1, bench.threads // max(1, len(parts))))
    found = side_by_side(lambda part: _compile(harness, part, share, scratch, only), parts)
    return [found[n % len(parts)][n // len(parts)] for n in range(len(sources))]


def _compile(
    harness: Harness, sources: Sequence[Path], bench: Bench, scratch: Path, only: Sequence[str] | None
) -> list[Built | Rejection]:
    """In one process, which is replaced where a file ends it."""
    request = Request(
        command="compile",
        shared={
            "folder": str(harness.folder.resolve()),
            "entry": harness.entry,
            "arch": bench.environment.arch,
            "multiprocessors": bench.environment.multiprocessors,
            "only": None if only is None else list(only),
            "any": harness.compute == "any",
            "walls": _walls(harness, sources, bench, scratch),
        },
        items=refer(sources),
        limit_s=bench.limits_s["compile"],
        harness=harness.folder.resolve(),
    )
    return [_built(answer, bench.environment.arch) for answer in ask(bench, request, scratch)]


def _build_all(
    harness: Harness, sources: Sequence[Path], bench: Bench, scratch: Path, *, walls: dict[str, Any] | None
) -> list[Built | Rejection]:
    """As `compile_all`, of CUDA C++: every library that a call could ask for is there afterwards."""
    request = Request(
        command="build",
        shared={
            "folder": str(harness.folder.resolve()),
            "entry": harness.entry,
            "arch": bench.environment.arch,
            "scratch": str(scratch),
            "walls": walls,
        },
        items=refer(sources),
        limit_s=bench.limits_s["build"],
        harness=harness.folder.resolve(),
    )
    # Not in a fork of a warm interpreter: one that was started in a thread of ours would end with that thread.
    return [_libraries(answer) for answer in ask(replace(bench, warm=None), request, scratch)]


def as_candidate(harness: Harness, bench: Bench, scratch: Path) -> Path:
    """The harness's own kernel as a candidate's file. HarnessError where it cannot be built.

    In CUDA C++ it is built once more, under a candidate's name: no process can load two libraries of one name.
    """
    if harness.language == "triton":
        return harness.folder.resolve() / KERNEL
    return built_by_us(harness, harness.replaced.read_text(), bench, scratch)


def built_by_us(harness: Harness, source: str, bench: Bench, scratch: Path) -> Path:
    """A CUDA candidate that we made ourselves, built. HarnessError where it cannot be.

    It needs no walls, and is kept for other runs beside what was built of harnesses: by its content, and where nothing
    that a candidate starts may write.
    """
    environment = bench.environment
    content = [sources_digest(harness), source, environment.torch, str(environment.cuda), environment.arch]
    home = kept_libraries() / f"ours-{wire.digest(content, length=16)}"
    file, mark = home / "candidate.py", f"built by us: {home}"
    with bench.once(mark):
        if mark not in bench.known:
            home.mkdir(parents=True, exist_ok=True)
            if not file.is_file():  # the last that is written of it
                lay(harness, source, file)
            (built,) = _build_all(harness, [file], bench, scratch, walls=None)
            if not isinstance(built, Built):
                raise HarnessError(f"{harness.folder}: does not build: {built.reason}", "extract it again")
            bench.known[mark] = True
    return file


def _walls(harness: Harness, sources: Sequence[Path], bench: Bench, scratch: Path) -> dict[str, Any] | None:
    """How the worker shuts itself in before it imports a candidate; None for the harness's own kernel."""
    folder = harness.folder.resolve()
    if all(source.resolve().parent == folder for source in sources):
        return None
    return walls_for(harness, sources, bench, scratch)


NO_HEADER = "fatal error: "
"""How nvcc begins to say that it finds no such file: of the framework's own, a harness has all."""


def original_built(harness: Harness, bench: Bench, scratch: Path) -> Built:
    """The facts of the harness's own kernel, kept for the bench's life. HarnessError where it does not compile."""
    path = harness.folder.resolve() / KERNEL
    text = f"{path.read_text()}\n{harness.replaced.read_text()}"
    mark = wire.digest(f"{path}\n{bench.environment.arch}\n{text}")
    with bench.once(mark):
        if mark not in bench.known:
            (found,) = compile_all(harness, [path], bench, scratch)
            if not isinstance(found, Built):
                whose = "install the CUDA toolkit whose header is missing, or " if NO_HEADER in found.reason else ""
                raise HarnessError(
                    f"{path}: does not compile for {bench.environment.arch}: {found.reason}", f"{whose}extract it again"
                )
            bench.known[mark] = found
    known = bench.known[mark]
    assert isinstance(known, Built)
    return known


def _built(answer: Answer, arch: str) -> Built | Rejection:
    match answer:
        case Done(value={"findings": [[code, text], *_]}):
            return verdict_of(code, f"while compiling: {text}", "")
        case Done(value=value):
            try:
                built = Built(
                    launches=tuple(_launch(found, arch) for found in value["launches"]),
                    operators=tuple(value["operators"]),
                    left_out=tuple(value["left_out"]),
                )
            except (KeyError, TypeError, ValueError):  # the candidate was imported in that process
                return verdict_of("spoofed_result", "while compiling: gives no launches", "")
            return too_large(built) or built
        case Failed(type=kind, text=text, log=log):
            return NotBuilt(reason=f"{kind}: {first_line(text)}", codes=("compile_error",), log=log)
        case Lost(code=code, text=text, log=log):
            return verdict_of(code, f"while compiling: {text}", log)


def _libraries(answer: Answer) -> Built | Rejection:
    match answer:
        case Done(value={"unbuilt": text, "log": log}):
            return NotBuilt(reason=text, codes=("compile_error",), log=log)
        case Done(value=value):
            kernels = tuple(Compiled(**found) for found in value["kernels"])
            return Built(launches=(), operators=tuple(value["symbols"]), left_out=(), kernels=kernels)
        case Failed(type=kind, text=text, log=log):
            return NotBuilt(reason=f"{kind}: {first_line(text)}", codes=("compile_error",), log=log)
        case Lost(code=code, text=text, log=log):
            return verdict_of(code, f"while building: {text}", log)


def summary(kernels: Sequence[Compiled]) -> str:
    """What the compiler made of a library, in words; empty where that is no library."""
    if not kernels:
        return ""
    registers, shared = [one.registers for one in kernels], max(one.shared_bytes for one in kernels)
    stacked = sum(one.stack_bytes > 0 for one in kernels)
    return (
        f"{len(kernels)} kernels with {min(registers)} to {max(registers)} registers and up to {shared} bytes of static"
        f" shared memory; {stacked} of them use a stack"
    )


def first_line(text: str) -> str:
    """The line that says what is wrong: triton puts the position first and the source below it."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not set(line.strip()) <= {"^"}]
    if not lines:
        return "no message"
    return f"{lines[0]} {lines[-1]}" if lines[0].startswith("at ") and len(lines) > 1 else lines[0]


def _launch(found: dict[str, Any], arch: str) -> Launch:
    rest = {key: found[key] for key in Resources.__dataclass_fields__ if key != "arch"}
    return Launch(
        resources=wire.load(Resources, {**rest, "arch": arch}),
        programs=max(1, math.prod(found["grid"])),
        loads=found["loads"],
        constants=found["constants"],
    )


def too_large(built: Built) -> NotBuilt | None:
    """Why a launch would be refused by the device, if it would."""
    for found in built.resources:
        most = MOST_SHARED_BYTES.get(found.arch, 227 * 1024)
        if found.shared_bytes > most:
            reason = f"{found.kernel} needs {found.shared_bytes} bytes of shared memory, and {found.arch} has {most}"
            return NotBuilt(reason=reason, codes=("too_large",))
        if found.registers * found.num_warps * 32 > MOST_REGISTERS:
            reason = f"{found.kernel} needs {found.registers} registers in {found.num_warps * 32} threads"
            return NotBuilt(reason=f"{reason}, and a multiprocessor has {MOST_REGISTERS}", codes=("too_large",))
    return None


def without_kernel(harness: Harness, original: Built, candidate: Built) -> Dishonest | None:
    """The workload for which the candidate launches nothing where the original launches a kernel, if there is one."""
    if harness.compute == "any":
        return None
    if original.kernels and not candidate.kernels:
        return Dishonest(reason="there is no kernel in what it builds to", codes=("no_kernel_launched",))
    launched = {found.workload for found in candidate.resources}
    for found in original.resources:
        if found.workload not in launched:
            reason = f"launches no kernel for workload {found.workload}; torch does its work"
            return Dishonest(
                reason=f"{reason} ({', '.join(candidate.operators) or 'or nobody'})", codes=("no_kernel_launched",)
            )
    return None
