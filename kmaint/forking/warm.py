"""Warm interpreters of the target: one that runs programs, and one that does pieces of work (zygote.py)."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kmaint.child import clean_environment
from kmaint.errors import InternalError, MissingError
from kmaint.forking.programs import ForkServer, Program
from kmaint.forking.stem import SERVER, stem

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


@contextlib.contextmanager
def fork_server(
    python: Path, beforehand: Beforehand, *, extra: Mapping[str, str] | None = None
) -> Iterator[ForkServer]:
    """A server for as long as the block lasts, with `extra` in its environment while it imports.

    MissingError where torch is not there.
    """
    what, proof = json.dumps(vars(beforehand), default=str), secrets.token_hex(16)
    warm = stem(python, (extra or {}).get("PYTHONPATH"))
    warm.wait()
    with contextlib.ExitStack() as until:
        folder = Path(until.enter_context(tempfile.TemporaryDirectory(prefix="kmaint-forks-")))
        place, digest = folder / "asked", hashlib.sha256(proof.encode()).hexdigest()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        until.enter_context(ours)
        program = Program(argv=[SERVER, what, place, digest], env=clean_environment(extra), cwd=folder, serves=True)
        until.enter_context(warm.serving(program, theirs))
        server = ForkServer(python, ours, {"socket": str(place), "proof": proof})
        server.wait()
        yield server


class Zygote:
    """A warm interpreter. It may still be starting: what is asked first waits for that."""

    def __init__(self, warm: ForkServer, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._stem, self._stdin, self._stdout = warm, stdin, stdout

    @functools.cached_property
    def missing(self) -> str:
        """Why it can do nothing: the package that is not there."""
        try:
            self._stem.wait()
        except MissingError:
            return "torch"
        self._hear()  # that it is ready
        return ""

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
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(json.dumps(request).encode() + b"\n")
            self._stdin.flush()
        answer = self._hear()
        lost = str(answer.get("lost", ""))
        return Answer(
            value=answer.get("value"),
            error=lost or str(answer.get("error", "")),
            lost=bool(lost),
            cpu_s=float(str(answer["cpu_s"])),
        )

    def _hear(self) -> dict[str, object]:
        line = self._stdout.readline()
        if not line:
            raise InternalError(f"{PROGRAM.name} ended before it answered")
        return dict(json.loads(line))


@contextlib.contextmanager
def warm_interpreter(python: str, beforehand: Beforehand) -> Iterator[Zygote]:
    """A warm interpreter for as long as the block lasts; it takes seconds to start, and a fork of it milliseconds."""
    environment = clean_environment({"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""})
    what, warm = json.dumps(vars(beforehand), default=str), stem(python)
    program = Program(argv=[PROGRAM, what], env=environment, cwd=Path.cwd(), serves=True)
    with warm.conversing(program) as (stdin, stdout):
        yield Zygote(warm, stdin, stdout)
