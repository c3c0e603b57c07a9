"""Runs to a whole engine: what their patches do to it, kept with each of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import reintegrate.engine
from kmaint import folder, wire
from kmaint.config import Config
from kmaint.errors import UsageError
from kmaint.records.engine import LEGS, EngineBench, Point, Value
from kmaint.records.evaluation import Passed
from kmaint.records.run import Run
from kmaint.workflow.landing import earlier_landing
from kmaint.workflow.progress import Progress
from kmaint.workflow.runs import run_folder
from reintegrate.engine.session import Setup

ENGINE, TOGETHER = "engine.json", "engine_together.json"
"""In a run's folder: its patch alone in an engine, and among those of other runs."""

SHARED = 0.84
"""Of the GPU's memory for all engines that are there at once."""
MEMORY = {"vllm": "gpu_memory_utilization", "sglang": "mem_fraction_static"}
"""How each engine calls the share that is its own."""
POINTS = ("decode:1x256", "decode:1x4096", "decode:1x16384", "decode:16x2048", "decode:64x1024", "prefill:4x2048")
TOKENS = {"decode": 128, "prefill": 1}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a user asks of a benchmark of an engine."""

    engine: str
    model: str
    points: tuple[Point, ...]
    arguments: dict[str, Value]
    rounds: int
    accuracy: str = ""
    beside: tuple[tuple[str, Value], ...] = ()
    each: bool = False
    logprobs: bool = False


def bench(runs: Sequence[Run], asked: Asked, config: Config, progress: Progress) -> EngineBench:
    """The patches of the runs, one upon another, in a served engine; kept in the folder of each as it ends.

    What is there after each point lies beside, and is taken up by the same call where this one is killed.
    """
    alone = asked.each and len(runs) > 1
    name = ENGINE if len(runs) == 1 else TOGETHER
    part = run_folder(runs[0], config) / f"part_of_{name}"
    engines = len(LEGS) + len(asked.beside) + alone * len(runs)
    memory: dict[str, Value] = {MEMORY[asked.engine]: round(SHARED / engines, 2)}
    serving = reintegrate.engine.Serving(
        python=config.python,
        setup=Setup(
            engine=asked.engine,
            model=asked.model,
            arguments={**memory, **asked.arguments},
            logprobs=asked.logprobs,
        ),
        points=asked.points,
        rounds=asked.rounds,
        exact=all(_is_exact(run) for run in runs),
        accuracy=asked.accuracy,
        beside=asked.beside,
        each=alone,
        earlier=_read(part),
        keep=lambda found: folder.write_text(part, wire.text(found, indent=1)),
        progress=progress,
    )
    found = reintegrate.engine.bench_engine(
        [run.id for run in runs], [_patch_file(run, config) for run in runs], serving
    )
    for run in runs:
        folder.write_text(run_folder(run, config) / name, wire.text(found, indent=1))
    part.unlink(missing_ok=True)
    return found


def earlier_bench(run: Run, config: Config, name: str = ENGINE) -> EngineBench | None:
    """What `bench` wrote down for this run, if it did."""
    return _read(run_folder(run, config) / name)


def _read(kept: Path) -> EngineBench | None:
    return wire.load(EngineBench, json.loads(kept.read_text())) if kept.is_file() else None


def point_of(text: str, tokens: int | None = None) -> Point:
    """`decode:1x16384` as a point, at which so many tokens are decoded. UsageError where it is none."""
    phase, _, sizes = text.partition(":")
    batch, _, context = sizes.partition("x")
    if phase not in TOKENS or not (batch.isdigit() and context.isdigit() and int(batch) and int(context)):
        raise UsageError(f"{text!r} is no point of an engine", "write decode:BATCHxCONTEXT or prefill:BATCHxCONTEXT")
    decoded = tokens if tokens and phase == "decode" else TOKENS[phase]
    return wire.load(Point, {"phase": phase, "batch": int(batch), "context": int(context), "tokens": decoded})


def _patch_file(run: Run, config: Config) -> Path:
    landing = earlier_landing(run, config)
    if landing is None:
        raise UsageError(f"run {run.id} has no patch", f"make one with 'kmaint reintegrate {run.id} --into TREE'")
    return Path(landing.patch_file)


def _is_exact(run: Run) -> bool:
    verdict = run.winner.verdict if run.winner else None
    return isinstance(verdict, Passed) and verdict.numerics.kind == "bit-exact"


def arguments_of(texts: Sequence[str]) -> dict[str, Value]:
    """As `pairs_of`, the last of each name."""
    return dict(map(_pair, texts))


def pairs_of(texts: Sequence[str]) -> tuple[tuple[str, Value], ...]:
    """`NAME=VALUE` each, once; a value that is a number, true or false in JSON is that, and everything else is text."""
    return tuple(dict.fromkeys(map(_pair, texts)))


def _pair(text: str) -> tuple[str, Value]:
    name, equals, value = text.partition("=")
    if not (name.isidentifier() and equals):
        raise UsageError(f"{text!r} sets nothing", "write NAME=VALUE, as in load_format=dummy")
    return name, _value(value)


def _value(text: str) -> Value:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool) else text
