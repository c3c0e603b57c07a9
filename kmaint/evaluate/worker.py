"""The child script that runs measured code; it needs torch, triton and the standard library, and nothing of kmaint.

    python worker.py < request.json

The request is one line: it names a command, what its items share, and the items. Each item is answered by one JSON line
on standard output; what the measured code prints goes to standard error. A command that has to ask on its way yields
the question and gets the parent's next line. An item that overruns, or takes too long from one answer to its next
question, ends the process: the parent sees which one was started and never answered, and asks a new process for the
rest.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import importlib.util
import inspect
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

COMMANDS = {
    "survey": "surveying",
    "compile": "compiling",
    "build": "extensions",
    "numerics": "numerics",
    "probe": "probing",
    "time": "clocking",
    "verify": "verifying",
    "screen": "screening",
    "hear": "hearing",
}
TURNS = ("survey", "numerics", "probe", "time", "verify", "screen")
"""Commands that take their turns on the GPU themselves; of the others each item shares it."""
APART = ("numerics", "probe", "verify")
"""Commands that run the original in their own process, and a candidate never."""
STUCK = 70
"""Exit status of a process whose CUDA context a candidate broke: every later call in it would fail."""


def main() -> int:
    given = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    request = json.loads(given.readline())

    limit = Limit()

    def ask(question: Any) -> Any:
        with limit.paused(anew=True):  # the answer may have to wait for others to leave the GPU
            _say(answers, {"event": "asks", "value": question})
            return json.loads(given.readline())

    name = request["command"]
    command = _command(name)
    turns = importlib.import_module("workers.turns").Turns(request.get("turns"), limit.paused)
    if request.get("originals") and name in APART:
        _keep_kernels_in(request["originals"])
    take = contextlib.nullcontext if name in TURNS else turns.shared
    state = command.prepare({**request["shared"], "turns": turns})
    for index, item in enumerate(request["items"]):
        with take():
            _say(answers, {"event": "started", "item": index})
            with limit.of(request["item_limit_s"]):
                _say(answers, {"item": index, **_answer(command, state, item, ask)})
        if not _context_is_well():
            return STUCK
    return 0


class Limit:
    """Ends the process with a traceback when an item overruns; time in which it only waits does not count."""

    def __init__(self) -> None:
        self._until: float | None = None
        self._seconds = 0.0

    @contextlib.contextmanager
    def of(self, seconds: float) -> Iterator[None]:
        self._seconds, self._until = seconds, time.monotonic() + seconds
        faulthandler.dump_traceback_later(seconds, exit=True)
        yield
        faulthandler.cancel_dump_traceback_later()
        self._until = None

    @contextlib.contextmanager
    def paused(self, *, anew: bool = False) -> Iterator[None]:
        """`anew`: what is left afterwards is the whole of it."""
        if self._until is None:  # between two items
            yield
            return
        left = self._seconds if anew else max(0.001, self._until - time.monotonic())
        faulthandler.cancel_dump_traceback_later()
        yield
        self._until = time.monotonic() + left
        faulthandler.dump_traceback_later(left, exit=True)


def _keep_kernels_in(folder: str) -> None:
    """Compiled kernels of this process go there, and come from there; a candidate's process is told of another place.

    Written past triton's own setter, which would put it into the environment that a candidate's process inherits.
    """
    import triton

    vars(triton.knobs.cache)["dir"] = folder


def _command(name: str) -> Any:
    """The command's module, from the folder beside this file: not on the path, where it could shadow other modules."""
    folder = Path(__file__).parent / "workers"
    spec = importlib.util.spec_from_file_location(
        "workers", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules["workers"] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"workers.{COMMANDS[name]}")


def _answer(command: Any, state: Any, item: Any, ask: Callable[[Any], Any]) -> dict[str, Any]:
    try:
        value = command.handle(state, item)
        return {"event": "done", "value": _discuss(value, ask) if inspect.isgenerator(value) else value}
    except Exception as error:  # noqa: BLE001 - measured code may raise anything, and its failure is an answer
        return {
            "event": "failed",
            "type": type(error).__name__,
            "text": str(error),
            "log": traceback.format_exc(),
        }


def _discuss(steps: Generator[Any, Any, Any], ask: Callable[[Any], Any]) -> Any:
    """What the generator returns in the end; each value that it yields is a question."""
    said = None
    while True:
        try:
            question = steps.send(said)
        except StopIteration as done:
            return done.value
        said = ask(question)


def _context_is_well() -> bool:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:  # a sticky error: "an illegal memory access was encountered"
        return False
    return True


def _say(answers: BinaryIO, line: dict[str, Any]) -> None:
    answers.write(json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
