"""Warm interpreters for a bench: one for each harness and mode, started when first needed, ended with the block.

They share what every interpreter of the harness imports (torch, triton, pytest, hypothesis and the harness's runtime)
and nothing that a candidate did: each program is a fork of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kmaint.child import Finished
from kmaint.errors import InternalError, KmaintError
from kmaint.evaluate.bench.bench import Bench
from kmaint.evaluate.bench.running import Alone, Runner, Use
from kmaint.evaluate.bench.surroundings import environment_of
from kmaint.forking.programs import ForkServer, Program
from kmaint.forking.warm import Beforehand, fork_server

SEES_GPU = """\
import torch, triton
torch.zeros(1, device="cuda").sum().item()
triton.runtime.driver.active.get_current_target()
"""
"""What a fork must be able to do on a machine with a GPU: something that was imported may have touched it before. With
triton's driver goes a module in C, which is compiled here once for all that are to come."""
SEES_LIMIT_S = 120.0

UNSEEING = {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": "", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
"""No server sees a GPU, nor asks CUDA for one: some modules ask torch whether there is any when they are imported, and
where it did not ask NVML instead, no fork could use one."""

COMPILES = ("triton.runtime.cache:triton_key", "triton.runtime.build:platform_key")
"""What triton finds out in each process before it first compiles, and keeps: it reads all of its own files, which
takes longer than most kernels do."""


@contextlib.contextmanager
def warmed(bench: Bench) -> Iterator[Bench]:
    """The bench with warm interpreters, and a folder for what compiling the originals gives, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="kmaint-originals-", ignore_cleanup_errors=True) as originals:
        pool = Pool(bench, Path(originals))
        try:
            yield dataclasses.replace(bench, warm=pool, originals=Path(originals))
        finally:
            pool.close()


class Pool:
    """Fork servers by harness and mode, and one of no harness for candidates; any thread may use them."""

    def __init__(self, bench: Bench, scratch: Path) -> None:
        self._bench, self._scratch, self._open = bench, scratch, contextlib.ExitStack()
        self._slots, self._lock = dict[tuple[Path | None, bool], Slot](), threading.Lock()
        self._closed = False

    def run(self, harness: Path, program: Program, use: Use) -> Finished:
        """What `use` gives with what is warm for the program. A server that was lost is started again, once."""
        interpreted = program.env.get("TRITON_INTERPRET") == "1"
        with self._lock:
            slot = self._slots.setdefault((harness, interpreted), Slot())
        try:
            return use(self._runner(slot, harness, interpreted=interpreted))
        except InternalError:
            if self._closed:
                raise
            slot.forget()
            return use(self._runner(slot, harness, interpreted=interpreted))

    def expect(self, harness: Path, modes: Sequence[bool]) -> None:
        """Start at once, side by side, all that a candidate of the harness will be judged in: interpreted, or not."""
        for wanted in [(folder, interpreted) for interpreted in modes for folder in (harness, None)]:
            with self._lock:
                known = wanted in self._slots
                slot = self._slots.setdefault(wanted, Slot())
            if not known:
                threading.Thread(target=self._begin, args=(slot, *wanted), daemon=True).start()

    def _begin(self, slot: Slot, harness: Path | None, interpreted: bool) -> None:
        with contextlib.suppress(KmaintError):  # whoever needs it will be told
            self._runner(slot, harness, interpreted=interpreted)

    def bare(self, *, interpreted: bool) -> Mapping[str, str] | None:
        """Where candidates are forked of an interpreter that knows of no harness; None where none can be had."""
        with self._lock:
            slot = self._slots.setdefault((None, interpreted), Slot())
        runner = self._runner(slot, None, interpreted=interpreted)
        return runner.address if isinstance(runner, ForkServer) else None

    def _runner(self, slot: Slot, harness: Path | None, *, interpreted: bool) -> Runner:
        with slot.lock:
            if slot.runner is None:
                if self._closed:
                    raise InternalError("a bench is used after it was closed", "report it")
                server = self._open.enter_context(_start(self._bench.python, harness, interpreted=interpreted))
                fit = interpreted or self._bench.device == "none" or self._sees_gpu(server)
                slot.runner = server if fit else Alone(self._bench.python)
            return slot.runner

    def _sees_gpu(self, server: ForkServer) -> bool:
        program = self._scratch / "sees_gpu.py"
        program.write_text(SEES_GPU)
        environment = environment_of(None, self._scratch, gpu=True, only=self._bench.gpu)
        environment["TRITON_CACHE_DIR"] = str(self._scratch)
        asked = Program(argv=[program], env=environment, cwd=self._scratch)
        ended = server.run(asked, timeout_s=SEES_LIMIT_S)
        if ended.code != 0:
            why = (ended.stderr.strip().splitlines() or ["no output"])[-1]
            self._bench.progress(f"no warm interpreter for the GPU, since a fork does not see it: {why}")
        return ended.code == 0

    def close(self) -> None:
        self._closed = True
        for slot in list(self._slots.values()):
            with slot.lock:  # one that is still starting is ended too
                pass
        self._open.close()


@dataclasses.dataclass
class Slot:
    """A server, once it is there, or what stands in for one; the lock is held while it starts."""

    runner: Runner | None = None
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def forget(self) -> None:
        with self.lock:
            self.runner = None


def _start(python: Path, harness: Path | None, *, interpreted: bool) -> contextlib.AbstractContextManager[ForkServer]:
    # triton reads this when it is imported, so that there are two kinds.
    extra = {**UNSEEING, **({"TRITON_INTERPRET": "1"} if interpreted else {})}
    calls = ("runtime.interpreter:mend",) if interpreted else COMPILES
    if harness is None:
        own = () if interpreted else COMPILES
        return fork_server(python, Beforehand(path=Path(os.devnull), bare=True, calls=own), extra=extra)
    return fork_server(
        python, Beforehand(path=harness, modules=("runtime.suite", "runtime.properties"), calls=calls), extra=extra
    )
