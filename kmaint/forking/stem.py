"""One interpreter that has imported torch alone, of which all others are forked: importing it takes seconds.

It is started when first needed, and ends with this process. Nothing of ours is in it: what is forked of it can be a
candidate's.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from kmaint.child import Finished, clean_environment, connected, run_child
from kmaint.errors import InternalError, MissingError
from kmaint.forking.programs import ForkServer, Program

SERVER = Path(__file__).parent / "server.py"

# One thread while it imports: a pool of them would not survive a fork. No GPU: every fork may use one. And what it
# imports may be kept as bytecode, as it imports nobody's candidate: where an installer leaves that to the first import,
# as uv does, every interpreter to come would compile torch's own sources anew.
ALONE = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONDONTWRITEBYTECODE": "",
}

_stems: dict[tuple[int, str, str, str], ForkServer] = {}
_lock, _open = threading.Lock(), contextlib.ExitStack()
atexit.register(_open.close)


def stem(python: Path | str, path: str | None = None) -> ForkServer:
    """The interpreter's, started if there is none yet that looks for modules in `path` (as PYTHONPATH has them) too.

    It may still be importing: `wait` on it says whether it can.
    """
    path = os.environ.get("PYTHONPATH", "") if path is None else path
    key = os.getpid(), str(python), path, os.environ.get("LD_LIBRARY_PATH", "")
    with _lock:
        found = _stems.get(key)
        if found is None or found.ended:
            environment = clean_environment({**ALONE, "PYTHONPATH": path})
            requests = _open.enter_context(connected([python, SERVER], env=environment))
            found = _stems[key] = ForkServer(Path(python), requests, {})
        return found


def run_with_torch(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
) -> Finished:
    """As run_child, for a program of an interpreter that imports torch: both stand first in the command line.

    A fork of the stem, or where that cannot be had an interpreter of its own, which says why.
    """
    python, *words = argv
    program = Program(argv=words, env=clean_environment() if env is None else env, cwd=cwd or Path.cwd())
    try:
        warm = stem(python)
        warm.wait()
        return warm.run(program, timeout_s=timeout_s, stdin=stdin)
    except (MissingError, InternalError):
        return run_child(argv, timeout_s=timeout_s, env=env, cwd=cwd, stdin=stdin)
