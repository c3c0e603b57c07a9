"""The child script that runs measured code; it needs torch, triton and the standard library, and nothing of kmaint.

    python worker.py < request.json

The request names a command, what its items share, and the items. Each item is answered by one JSON line on standard
output; what the measured code prints goes to standard error. An item that overruns ends the process: the parent sees
which one was started and never answered, and asks a new process for the rest.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, BinaryIO

COMMANDS = {
    "survey": "surveying",
    "compile": "compiling",
    "numerics": "numerics",
    "probe": "probing",
    "time": "clocking",
    "screen": "screening",
}
STUCK = 70
"""Exit status of a process whose CUDA context a candidate broke: every later call in it would fail."""


def main() -> int:
    request = json.loads(sys.stdin.buffer.read())
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    command = _command(request["command"])
    state = command.prepare(request["shared"])
    for index, item in enumerate(request["items"]):
        _say(answers, {"event": "started", "item": index})
        faulthandler.dump_traceback_later(request["item_limit_s"], exit=True)
        _say(answers, {"item": index, **_answer(command, state, item)})
        faulthandler.cancel_dump_traceback_later()
        if not _context_is_well():
            return STUCK
    return 0


def _command(name: str) -> Any:
    """The command's module, from the folder beside this file: not on the path, where it could shadow other modules."""
    folder = Path(__file__).parent / "workers"
    spec = importlib.util.spec_from_file_location(
        "workers", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules["workers"] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"workers.{COMMANDS[name]}")


def _answer(command: Any, state: Any, item: Any) -> dict[str, Any]:
    try:
        return {"event": "done", "value": command.handle(state, item)}
    except Exception as error:  # noqa: BLE001 - measured code may raise anything, and its failure is an answer
        return {
            "event": "failed",
            "type": type(error).__name__,
            "text": str(error),
            "log": traceback.format_exc(),
        }


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
