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
from .calls import cases, entry_of
from .outputs import disagreement
from .replay import Clock, DeviceClock, EagerLeg, Entry, GraphLeg, Inputs, Leg, mutated_by, sets_for

ROUNDS = 3


@dataclass
class Stage:
    """One workload, ready: its inputs and the original's leg over them."""

    name: str
    weight: float
    inputs: Inputs
    original: Leg


@dataclass
class State:
    stages: list[Stage]
    clock: Clock
    entry: str
    draw: random.Random
    turns: Any


def prepare(shared: dict[str, Any]) -> State:
    """`shared`: folder, entry, seed, turns. Builds the inputs of every workload that is timed once, on the GPU."""
    folder = Path(shared["folder"])
    contract = cases.Contract.read(folder)
    original = entry_of(str(folder / "kernel.py"), "original", shared["entry"])
    draw = random.Random(shared["seed"])  # noqa: S311 - an order of blocks, not a secret
    timed = [(w, case) for w, case in contract.cases() if w["weight"]]
    with shared["turns"].shared():
        clock = DeviceClock()
        stages = [Stage(w["name"], w["weight"], *_stage(original, contract, case, clock)) for w, case in timed]
    return State(stages, clock, shared["entry"], draw, shared["turns"])


def _stage(original: Entry, contract: Any, case: Any, clock: Clock) -> tuple[Inputs, Leg]:
    inputs = Inputs.rotating(contract, case, "cuda")
    inputs.remember(mutated_by(original, inputs.calls[0], "cuda"))
    leg = _leg(original, inputs)
    inputs.keep(sets_for(min(clock([leg, leg])), len(inputs.calls)))
    return inputs, _leg(original, inputs)


def _leg(entry: Entry, inputs: Inputs) -> Leg:
    """A captured leg, or an eager one where the original cannot be captured."""
    try:
        return GraphLeg(entry, inputs, 1)
    except RuntimeError:
        return EagerLeg(entry, inputs, 1)


def handle(state: State, item: dict[str, Any]) -> dict[str, Any]:
    """`item`: path of a variant. `ratio` over all workloads (original over variant), or `differs`.

    The GPU is its own only while it is timed: building, compiling and comparing take longer by far.
    """
    entry = entry_of(item["path"], "variant_" + hashlib.sha256(item["path"].encode()).hexdigest()[:8], state.entry)
    ratios: dict[str, float] = {}
    for stage in state.stages:
        with state.turns.shared():
            variant = type(stage.original)(entry, stage.inputs, 1)  # type: ignore[call-arg]
            if differs := disagreement(stage.original, variant, stage.inputs):
                return {"differs": f"{stage.name}: {differs}"}
        with state.turns.alone():
            ratios[stage.name] = _ratio(state, stage, variant)
    total = sum(stage.weight for stage in state.stages)
    return {
        "ratio": math.exp(sum(s.weight * math.log(ratios[s.name]) for s in state.stages) / total),
        "ratios": ratios,
    }


def _ratio(state: State, stage: Stage, variant: Leg) -> float:
    found = []
    for _ in range(ROUNDS):
        stage.inputs.restore()
        left, right = mirrored(state.clock, stage.original, variant, state.draw)
        found.append(left / right)
    return statistics.median(found)
