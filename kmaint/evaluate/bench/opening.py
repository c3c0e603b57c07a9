"""Surveys an interpreter and its GPU, and opens a bench on each."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from kmaint import wire
from kmaint.child import run_child
from kmaint.errors import KmaintError, MissingError
from kmaint.evaluate.bench.asking import Done, Request, ask_alone, last_line
from kmaint.evaluate.bench.bench import LIMITS_S, Bench
from kmaint.evaluate.bench.surroundings import environment_of
from kmaint.forking.stem import stem
from kmaint.records.evaluation import Environment
from kmaint.sandbox import sandbox


def open_bench(
    python: Path | None = None,
    *,
    device: Literal["auto", "cuda", "none"] = "auto",
    limits_s: Mapping[str, float] | None = None,
    quick: bool = False,
    gpu: str | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> Bench:
    """Survey the interpreter; "auto" takes a GPU where there is one. MissingError where a package or the GPU is not."""
    python = python or Path(sys.executable)
    progress(f"surveying {python}{f' and GPU {gpu}' if gpu else ''}")
    environment = survey(python, device=device, gpu=gpu)
    if device == "cuda" and environment.device is None:
        raise MissingError(f"{python}: torch {environment.torch} sees no CUDA device", "use --device none")
    walls = sandbox(python, gpu=environment.device is not None)
    return Bench(
        python=python,
        device="none" if environment.device is None else "cuda",
        environment=replace(environment, sandbox=walls.level, sandbox_reason=walls.reason),
        limits_s={**LIMITS_S, **(limits_s or {})},
        quick=quick,
        gpu=gpu,
        progress=progress,
        walls=walls,
    )


def open_benches(
    python: Path | None = None,
    *,
    device: Literal["auto", "cuda", "none"] = "auto",
    progress: Callable[[str], None] = lambda _text: None,
) -> list[Bench]:
    """A bench for each GPU that is visible here, or one without a GPU; they share what is found out of a harness."""
    gpus = [] if device == "none" else visible_gpus()
    first = open_bench(python, device=device, gpu=gpus[0] if len(gpus) > 1 else None, progress=progress)
    if first.device == "none" or len(gpus) < 2:
        return [first]
    others = [(gpu, open_bench(python, device="cuda", gpu=gpu, progress=progress)) for gpu in gpus[1:]]
    return [first, *(replace(first, gpu=gpu, environment=found.environment) for gpu, found in others)]


def visible_gpus() -> list[str]:
    """As CUDA_VISIBLE_DEVICES names them, where it is set; else all that nvidia-smi knows, by UUID."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [gpu for gpu in named.split(",") if gpu.strip()]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = run_child([program, "--query-gpu=uuid", "--format=csv,noheader"], timeout_s=60.0)
    return asked.stdout.split() if asked.code == 0 else []


def survey(python: Path, *, device: Literal["auto", "cuda", "none"] = "auto", gpu: str | None = None) -> Environment:
    """What the interpreter and its GPU are. MissingError, with the command that helps, where a package is missing.

    Asked once in a process: it takes seconds, and on a GPU the turn of whoever measures.
    """
    return _surveyed(python, device, gpu, os.environ.get("CUDA_VISIBLE_DEVICES"))


@functools.cache
def _surveyed(python: Path, device: str, gpu: str | None, _visible: str | None) -> Environment:
    with contextlib.suppress(KmaintError):
        stem(python)  # is asked for next, and can import torch meanwhile
    with tempfile.TemporaryDirectory(prefix="kmaint-survey-") as scratch:
        request = Request(command="survey", shared={}, items=({},), limit_s=LIMITS_S["survey"], gpu=device != "none")
        environment = environment_of(None, Path(scratch), gpu=device != "none", only=gpu)
        environment["PYTHONDONTWRITEBYTECODE"] = ""  # as the stem's: there is no candidate in it
        answers, finished = ask_alone(python, request, environment, Path(scratch))
    answer = answers[0] if answers else None
    if not isinstance(answer, Done):
        why = answer.text if answer else last_line(finished.stderr)
        raise MissingError(f"{python}: cannot be surveyed: {why}", "give another interpreter with --python")
    found = dict(answer.value)
    if missing := found.pop("missing"):
        raise MissingError(
            f"{python}: no {', '.join(missing)} in it", f"'{python} -m pip install {' '.join(missing)}' adds it"
        )
    return wire.load(Environment, found)
