"""The warm interpreter that extraction asks: it has imported what new harnesses are tried with."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from kmaint.forking.warm import Beforehand, Zygote, warm_interpreter

OWN = Path(__file__).parent
BEFOREHAND = Beforehand(
    path=OWN,
    modules=("runtime.suite", "runtime.properties"),  # that of every harness: it is copied there unchanged
    programs=(OWN / "trying" / "trial.py", OWN / "deriving" / "probes" / "kernel.py"),
    calls=("runtime.interpreter:mend",),
)


def warm_for_trials(python: str) -> AbstractContextManager[Zygote]:
    """A warm interpreter for the trials of new harnesses, for as long as the block lasts."""
    return warm_interpreter(python, BEFOREHAND)
