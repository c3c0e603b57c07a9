"""What a process that times hears of the device, and whether it can compile: in the open, and behind walls."""

from __future__ import annotations

import subprocess  # noqa: TID251 - standalone: kmaint.child is not there
from pathlib import Path
from typing import Any

from . import tracing
from .sensors import Sensors
from .walls import shut_in_to_time


def prepare(shared: dict[str, Any]) -> dict[str, Any]:
    """`shared`: uuid, gpu, scratch, secret (a file that is none of its own); `walls`, or None."""
    room = Path(shared["scratch"])
    shut_in_to_time(shared["walls"], room, room)
    return shared


def handle(state: dict[str, Any], _item: object) -> dict[str, Any]:
    """`heard`: what says anything; `read`: whether the secret can be read."""
    heard = [name for name, value in Sensors(state["uuid"]).read().items() if value is not None]
    if state["gpu"] and tracing.warm_up():
        heard.append("CUPTI")
    if _compiles():
        heard.append("a C compiler")
    try:
        return {"heard": heard, "read": bool(Path(state["secret"]).read_text())}
    except OSError:
        return {"heard": heard, "read": False}


def _compiles() -> bool:
    """Triton has what launches a kernel compiled the first time."""
    words = ["cc", "-x", "c", "-", "-shared", "-fPIC", "-o", "trial.so"]
    try:
        ended = subprocess.run(words, input=b"int one(void) { return 1; }", capture_output=True, check=False)  # noqa: S603 - words of ours
    except OSError:
        return False
    return ended.returncode == 0
