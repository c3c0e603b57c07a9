"""Runs a user's own command as if it had been typed: it has our streams, our terminal, and our signals."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kmaint.child import popen


def run_attached(argv: Sequence[str | Path], *, env: Mapping[str, str]) -> int:
    """Run a user's own command with our streams and terminal, to its end; its exit status as a shell would say it.

    It leads a process group. Ctrl-C at a terminal reaches it from there; SIGINT and SIGTERM sent to us are passed on.
    """
    process = popen(argv, env=dict(env), process_group=0)

    def pass_on(number: int, frame: object) -> None:
        del frame
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    handlers = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _foreground(process.pid):
            code = process.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


@contextlib.contextmanager
def _foreground(group: int) -> Iterator[None]:
    """Our terminal, where we have one and hold it, is the group's for a while."""
    if not os.isatty(0) or os.tcgetpgrp(0) != os.getpgrp():
        yield
        return
    os.tcsetpgrp(0, group)
    os.killpg(group, signal.SIGCONT)  # it may have asked for the terminal before it had it, and been stopped
    try:
        yield
    finally:
        ignored = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # what a process in the background gets for taking it
        os.tcsetpgrp(0, os.getpgrp())
        signal.signal(signal.SIGTTOU, ignored)
