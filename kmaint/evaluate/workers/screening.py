"""Ranks many variants in one warm process: each is checked quickly against the original and timed roughly."""

from __future__ import annotations

import hashlib
import math
import random
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .blocks import mirrored
from .calls import cases, entry_of, synchronize
from .outputs import Left, disagreement, left_behind
from .replay import Clock, DeviceClock, EagerLeg, Entry, GraphLeg, Inputs, Leg, WallClock, mutated_by, sets_for
from .walls import shut_in_to_time

ROUNDS = 3


@dataclass
class Stage:
    """One workload, ready: its inputs, the original's leg over them, and what that leaves behind."""

    name: str
    weight: float
    inputs: Inputs
    original: Leg
    expected: Left


@dataclass
class State:
    stages: list[Stage]
    clock: Clock
    entry: str
    draw: random.Random
    turns: Any
    device: str


def prepare(shared: dict[str, Any]) -> State:
    """`shared`: folder, entry, seed, turns, clock ("graph"; "wall" is a dry run), scratch; `walls`: how this process
    shuts itself in before it imports a variant, or None. Builds the inputs of every workload that is timed once, where
    they are used."""
    shut_in_to_time(shared["walls"], Path(shared["folder"]), Path(shared["scratch"]))
    device = "cuda" if shared["clock"] == "graph" else "cpu"
    folder = Path(shared["folder"])
    contract = cases.Contract.read(folder)
    original = entry_of(str(folder / "kernel.py"), "original", shared["entry"])
    draw = random.Random(shared["seed"])  # noqa: S311 - an order of blocks, not a secret
    timed = [(w, case) for w, case in contract.cases() if w["weight"]]
    with shared["turns"].shared():
        clock: Clock = DeviceClock() if device == "cuda" else WallClock(device)
        stages = [
            Stage(w["name"], w["weight"], *_stage(original, Inputs.rotating(contract, case, device), clock))
            for w, case in timed
        ]
    return State(stages, clock, shared["entry"], draw, shared["turns"], device)


def _stage(original: Entry, inputs: Inputs, clock: Clock) -> tuple[Inputs, Leg, Left]:
    inputs.remember(mutated_by(original, inputs.calls[0], inputs.device))
    leg = _leg(original, inputs)
    inputs.keep(sets_for(min(clock([leg, leg])), len(inputs.calls)))
    leg = _leg(original, inputs)
    return inputs, leg, left_behind(leg, inputs)


def _leg(entry: Entry, inputs: Inputs) -> Leg:
    """A captured leg, or an eager one where the original cannot be captured, and in a dry run."""
    if inputs.device == "cpu":
        return EagerLeg(entry, inputs, 1)
    try:
        return GraphLeg(entry, inputs, 1)
    except RuntimeError:
        return EagerLeg(entry, inputs, 1)


def handle(state: State, item: dict[str, Any]) -> dict[str, Any]:
    """`item`: paths of variants. `found`, in their order: `ratio` over all workloads (original over variant), or
    `differs`.

    The GPU is its own once, while all of them are timed: building, compiling and comparing take longer by far, and
    whoever wants it alone waits until all others have left it.
    """
    variants = [_variant(state, path) for path in item["paths"]]
    timed = [one for one in variants if not isinstance(one, str)]
    with state.turns.alone():
        ratios = iter(_ratios(state, timed))
    return {"found": [{"differs": one} if isinstance(one, str) else _weighed(state, next(ratios)) for one in variants]}


def _variant(state: State, path: str) -> list[Leg] | str:
    """A leg for each stage; or how the variant differs from the original, or why it does not run."""
    legs: list[Leg] = []
    try:
        entry = entry_of(path, "variant_" + hashlib.sha256(path.encode()).hexdigest()[:8], state.entry)
        for stage in state.stages:
            with state.turns.shared():
                legs.append(type(stage.original)(entry, stage.inputs, 1))  # type: ignore[call-arg]
                if differs := disagreement(stage.expected, legs[-1], stage.inputs):
                    return f"{stage.name}: {differs}"
    except Exception as error:  # noqa: BLE001 - measured code may raise anything, and is no reason to lose the others
        synchronize(state.device)  # raises where it broke the context: nothing that comes after it would say anything
        return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"
    return legs


def _ratios(state: State, variants: list[list[Leg]]) -> list[dict[str, float]]:
    """Original over variant by workload, medians of rounds in which all variants of a workload have their turn."""
    found: list[dict[str, float]] = [{} for _ in variants]
    for n, stage in enumerate(state.stages):
        rounds = [[_ratio(state, stage, legs[n]) for legs in variants] for _ in range(ROUNDS)]
        for at, seen in enumerate(zip(*rounds, strict=True)):
            found[at][stage.name] = statistics.median(seen)
    return found


def _ratio(state: State, stage: Stage, variant: Leg) -> float:
    stage.inputs.restore()
    left, right = mirrored(state.clock, stage.original, variant, state.draw)
    return left / right


def _weighed(state: State, ratios: dict[str, float]) -> dict[str, Any]:
    total = sum(stage.weight for stage in state.stages)
    mean = sum(stage.weight * math.log(ratios[stage.name]) for stage in state.stages) / total
    return {"ratio": math.exp(mean), "ratios": ratios}
