"""Asks a warm interpreter of the target to do a piece of work: zygote.py is the other side."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen  # noqa: TID251 - the type only: kmaint.child starts and ends it

from kmaint.child import clean_environment, conversing
from kmaint.errors import InternalError

PROGRAM = Path(__file__).parent / "zygote.py"


@dataclass(frozen=True, kw_only=True)
class Beforehand:
    """What a warm interpreter has done before its first fork, beside importing torch, triton and pytest."""

    path: Path
    """Folder whose modules can be imported beforehand; a fork finds its own folder's there instead."""
    modules: tuple[str, ...] = ()
    programs: tuple[Path, ...] = ()
    calls: tuple[str, ...] = ()
    """MODULE:FUNCTION, each called once."""
    bare: bool = False
    """Whether it is to look like an interpreter that nobody tests anything in."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a piece of work came to: `error` is empty where it returned `value`."""

    value: object = None
    error: str = ""
    lost: bool = False
    """Its process ended before it answered, by a crash or at the limit."""
    cpu_s: float = 0.0


class Zygote:
    """A warm interpreter. It may still be starting: what is asked first waits for that."""

    def __init__(self, process: Popen[bytes]) -> None:
        self._process = process

    @functools.cached_property
    def missing(self) -> str:
        """The package without which it can do nothing (torch), if that is not there."""
        return str(self._hear().get("missing", ""))

    def ask(
        self, program: Path, function: str, folder: Path, *, limit_s: float, keep: bool = False, **arguments: object
    ) -> Answer:
        """`function(**arguments)` of the file `program`, in a fork whose working folder and first path is `folder`.

        Arguments and value are what JSON can hold. The fork is killed with all it started after `limit_s` seconds; with
        `keep` it may be the one that was asked before, if that was in the same folder and was to be kept too.
        """
        if self.missing:
            return Answer(error=f"no {self.missing}")
        what = {"program": str(program), "function": function, "arguments": arguments}
        request = {**what, "folder": str(folder.resolve()), "limit_s": limit_s, "keep": keep}
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        answer = self._hear()
        lost = str(answer.get("lost", ""))
        return Answer(
            value=answer.get("value"),
            error=lost or str(answer.get("error", "")),
            lost=bool(lost),
            cpu_s=float(str(answer["cpu_s"])),
        )

    def _hear(self) -> dict[str, object]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise InternalError(f"{PROGRAM.name} ended with exit status {self._process.wait()} before it answered")
        return dict(json.loads(line))


@contextlib.contextmanager
def warm_interpreter(python: str, beforehand: Beforehand) -> Iterator[Zygote]:
    """A warm interpreter for as long as the block lasts; it takes seconds to start, and a fork of it milliseconds."""
    environment = clean_environment({"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"})
    what = json.dumps(vars(beforehand), default=str)
    with conversing([python, PROGRAM, what], env=environment) as process:
        yield Zygote(process)
