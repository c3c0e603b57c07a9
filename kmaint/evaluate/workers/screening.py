"""Ranks many variants in one warm process: each is checked quickly against the original and timed roughly."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .blocks import mirrored, ratios
from .calls import cases, entry_of, synchronize
from .outputs import Disagreement, Left, disagreement, left_behind
from .replay import (
    Clock,
    DeviceClock,
    EagerLeg,
    Entry,
    GraphLeg,
    Inputs,
    Leg,
    WallClock,
    mutated_by,
    sets_for,
)
from .walls import shut_in_to_time

TRIES = 4
"""At a block in time: the device is kept busy for twice as long before each."""
NO_USE = 71
"""Exit status of a process whose inputs are no longer known."""


@dataclass
class Stage:
    """One workload, ready: its inputs, the original's leg over them, and what that leaves behind."""

    name: str
    inputs: Inputs
    original: EagerLeg | GraphLeg
    expected: Left


@dataclass
class State:
    """`built` are the legs of the variants that are to be timed, one for each stage, by path."""

    stages: list[Stage]
    clock: Clock
    entry: str
    draw: random.Random
    turns: Any
    rounds: int
    best: int
    built: dict[str, list[Leg]] = field(default_factory=dict)


def prepare(shared: dict[str, Any]) -> State:
    """`shared`: folder, entry, seed, turns, clock ("graph"; "wall" is a dry run), scratch; `sets`, of arguments in
    rotation at most, `rounds` of timing and, of times beside others, how many are the `best`; `walls`: how this process
    shuts itself in before it imports a variant, or None. Builds the inputs of every workload that is timed once, where
    they are used."""
    shut_in_to_time(shared["walls"], Path(shared["folder"]), Path(shared["scratch"]))
    device = "cuda" if shared["clock"] == "graph" else "cpu"
    folder = Path(shared["folder"])
    contract = cases.Contract.read(folder)
    original = entry_of(str(folder / "kernel.py"), "original", shared["entry"])
    draw = random.Random(shared["seed"])  # noqa: S311 - an order of blocks, not a secret
    turns = shared["turns"]
    # A turn for the context and for each workload: whoever wants to be alone waits for one of them.
    with turns.beginning():
        clock: Clock = DeviceClock() if device == "cuda" else WallClock(device)
    stages = []
    for workload, case in contract.cases():
        if workload["weight"]:
            with turns.shared():
                inputs = Inputs.rotating(contract, case, device, most=shared["sets"])
                stages.append(Stage(workload["name"], *_stage(original, inputs, clock)))
                synchronize(device)
    return State(stages, clock, shared["entry"], draw, turns, shared["rounds"], shared["best"])


def _stage(original: Entry, inputs: Inputs, clock: Clock) -> tuple[Inputs, EagerLeg | GraphLeg, Left]:
    inputs.remember(mutated_by(original, inputs.calls))
    leg = _leg(original, inputs)
    fewer = sets_for(min(clock([leg, leg])), len(inputs.calls))
    if fewer < len(inputs.calls):
        inputs.keep(fewer)
        leg = _leg(original, inputs)
    return inputs, leg, left_behind(leg, inputs)


def _leg(entry: Entry, inputs: Inputs) -> EagerLeg | GraphLeg:
    """A captured leg, or an eager one where the original cannot be captured, and in a dry run. Each argument set once:
    what comes again soon lies in the L2, as it would not where more are timed."""
    if inputs.device == "cpu":
        return EagerLeg(entry, inputs, 1)
    try:
        return GraphLeg(entry, inputs, 1)
    except RuntimeError:
        return EagerLeg(entry, inputs, 1)


def handle(state: State, item: dict[str, Any]) -> dict[str, Any]:
    """`item`: path of a variant, which is built and compared: `differs`, empty where it may be timed, and `plainly`
    where no rounding explains it. Or no path: then all that were built since are timed, and let go; `ratios` by path
    and workload, original over variant.

    Where the GPU is to be its own, it is so once for all of them: building, compiling and comparing take longer by far,
    and whoever wants it alone waits until all others have left it. Beside others a workload at a time has a turn.
    """
    if item["path"]:
        differs = _differs(state, item["path"])
        return {"differs": differs.text, "plainly": differs.plainly}
    built, state.built = state.built, {}
    if not built:
        return {"ratios": {}}
    with contextlib.nullcontext() if state.best else state.turns.alone():
        return {"ratios": dict(zip(built, _ratios(state, list(built.values())), strict=True))}


def _differs(state: State, path: str) -> Disagreement:
    """How a variant differs from the original; one that does not is kept to be timed."""
    legs: list[Leg] = []
    entry = entry_of(path, "variant_" + hashlib.sha256(path.encode()).hexdigest()[:8], state.entry)
    for stage in state.stages:
        with state.turns.shared():
            try:
                legs.append(type(stage.original)(entry, stage.inputs, 1))
                differs = disagreement(stage.expected, left_behind(legs[-1], stage.inputs))
            except Exception:
                legs.clear()  # and their memory
                _renew(state, stage)
                raise
            if differs.text:
                legs.clear()
                _renew(state, stage)
                plainly = differs.plainly and _same_twice(stage)
                return Disagreement(f"{stage.name}: {differs.text}", plainly=plainly)
    state.built[path] = legs
    return Disagreement()


def _renew(state: State, stage: Stage) -> None:
    """New data for those to come: who differs may have written what nobody is to write, and restoring leaves that.

    Where it cannot be had this process is of no more use, and another takes the rest.
    """
    try:
        stage.inputs.refill(state.draw.randrange(1 << 30))
        stage.expected = left_behind(stage.original, stage.inputs)
    except Exception:  # noqa: BLE001 - out of memory, or a context that the variant broke
        traceback.print_exc()
        os._exit(NO_USE)


def _same_twice(stage: Stage) -> bool:
    """Whether the original agrees with itself on the data that is there."""
    return not disagreement(stage.expected, left_behind(stage.original, stage.inputs)).text


def _ratios(state: State, variants: list[list[Leg]]) -> list[dict[str, list[float]]]:
    """Original over variant by workload, of rounds in which all variants of a workload have their turn."""
    found: list[dict[str, list[float]]] = [{} for _ in variants]
    for n, stage in enumerate(state.stages):
        with state.turns.shared() if state.best else contextlib.nullcontext():
            rounds = [[_block(state, stage, legs[n]) for legs in variants] for _ in range(state.rounds)]
        for at, blocks in enumerate(zip(*rounds, strict=True)):
            found[at][stage.name] = ratios(blocks, state.best)
    return found


def _block(state: State, stage: Stage, variant: Leg, tries: int = TRIES) -> tuple[float, float]:
    """Microseconds a call of original and variant in one block; one in which the device waited for its host is measured
    again, so often at most."""
    stage.inputs.restore()
    left, right = mirrored(state.clock, stage.original, variant, state.draw)
    if state.clock.late and tries > 1:
        state.clock.wait_longer()
        return _block(state, stage, variant, tries - 1)
    return left, right
