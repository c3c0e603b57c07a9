"""All findings in the order in which a newcomer needs them, held against what is to be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kmaint.config import Config
from kmaint.doctor.here import of_kmaint, of_programs, of_sandbox
from kmaint.doctor.target import ask, of_device, of_framework, of_interpreter
from kmaint.records.machine import Diagnosis, Purpose

CORE = ("python", "git", "ruff", "state folder")
TRIES = (*CORE, "interpreter", "torch", "triton", "pytest", "hypothesis")
NEEDS: Mapping[Purpose, tuple[str, ...]] = {
    "core": CORE,
    "extract": (*CORE, "interpreter", "torch", "triton"),
    "check": TRIES,
    "optimize": TRIES,
    "mutate": TRIES,
    "parity": TRIES,
    "bench": (*TRIES, "framework", "GPU"),
    "pr": (*CORE, "git identity", "extra pr"),
}
"""What each purpose cannot do without; everything else makes it better, and its line says how."""


def examine(config: Config, purpose: Purpose, progress: Callable[[str], None]) -> Diagnosis:
    """Look at everything there is to look at; nothing is changed, and nothing is asked of the network."""
    progress(f"asking {config.python}")
    answer = ask(config.python)
    progress("trying the sandbox")
    findings = (
        *of_kmaint(config.state),
        *of_programs(),
        *of_interpreter(answer),
        *of_framework(answer),
        *of_device(answer),
        of_sandbox(Path(config.python), gpu=bool(answer.gpus), runs=not answer.trouble),
    )
    lacking = {one.name for one in findings if one.standing == "missing"}
    return Diagnosis(
        purpose=purpose, findings=findings, lacking=tuple(name for name in NEEDS[purpose] if name in lacking)
    )
