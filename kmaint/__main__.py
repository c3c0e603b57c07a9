"""The way in: makes sure that the five packages are ours, then hands over to the command line."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("kmaint", "extract", "testgen", "reintegrate", "reports")
MANY = 50_000
"""New objects between two searches for cycles among them; Python's own 700 costs a scan 0.01 s."""


def main() -> None:
    """Run the command line; an error of ours leaves a log to paste into an issue and exits with 4."""
    gc.set_threshold(MANY)
    if shadow := _shadowed():
        sys.stderr.write(f"kmaint: {shadow}\n")
        sys.exit(3)
    from kmaint import cli  # only now: importing it imports the packages

    try:
        cli.run()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away: nothing more to say
        sys.exit(0)
    except Exception:
        log = Path.cwd() / "kmaint-error.log"
        log.write_text(traceback.format_exc())
        last = traceback.format_exc().strip().splitlines()[-1]
        sys.stderr.write(f"kmaint: our own fault: {last}; please report it with {log}\n")
        sys.exit(4)
    finally:
        gc.freeze()  # else the interpreter looks through all there is for cycles as it ends: 0.08 s of a scan


def _shadowed() -> str | None:
    """The first of our packages that Python would take from elsewhere, with the cure; generic names invite it."""
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        spec = find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != home:
            found = origin or "nothing"
            return f"package {name!r} would come from {found}, not {home}; install kmaint in an environment of its own"
    return None


if __name__ == "__main__":
    main()
