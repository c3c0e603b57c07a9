"""Kills a process group once whoever started this is gone: `guardian.py GROUP`, with a pipe of theirs as its input.

An engine that is stopped between two questions would not notice, and keep its share of the GPU for good.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    sys.stdin.buffer.read()  # until the last who holds the other end has ended
    with contextlib.suppress(ProcessLookupError):
        os.killpg(int(sys.argv[1]), signal.SIGKILL)


if __name__ == "__main__":
    main()
