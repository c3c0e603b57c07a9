"""Paired times of original and candidate: blocks of A B B A or B A A B, drawn at random, with A/A blocks among them.

What decides is asked of the parent on the way: the seeds of the data, whether more blocks are needed, and how often to
run which leg while it looks at a clock of its own.

All workloads that memory has room for are made ready, then timed one right after the other, and then looked at: so this
process has the GPU alone once, and not once for each, for which all others would have to leave it each time.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from . import tracing
from .blocks import Blocks, mirrored
from .calls import building, cases, entry_of, synchronize
from .outputs import sampled
from .replay import (
    Clock,
    DeviceClock,
    EagerLeg,
    Entry,
    GraphLeg,
    IdleLeg,
    Inputs,
    Leg,
    WallClock,
    mutated_by,
    repeats_for,
    sets_for,
)
from .sensors import Sensors
from .walls import shut_in_to_time
from .watching import Watch

EAGER_BLOCKS = 8
EAGER_CALLS = 32
RUNS_BETWEEN_RESTORES = 4
"""As often as in a block: what overwrites its own indices must not walk further than that."""

Steps = Generator[Any, Any, None]


def prepare(shared: dict[str, Any]) -> dict[str, Any]:
    """`shared`: folder, entry, candidate, uuid, clock ("graph"; "wall" is a dry run), scratch; `walls`: how this
    process shuts itself in before it imports the candidate, or None."""
    folder = Path(shared["folder"])
    shut_in_to_time(shared["walls"], folder, Path(shared["scratch"]))
    return {
        **shared,
        "contract": cases.Contract.read(folder),
        "original": entry_of(str(folder / "kernel.py"), "original", shared["entry"]),
        "device": "cuda" if shared["clock"] == "graph" else "cpu",
        "sensors": Sensors(shared["uuid"]),
        "watch": Watch(),
    }


@dataclass
class Stage:
    """One workload, ready to be timed; `of` says in every question what it is about."""

    of: dict[str, Any]
    inputs: Inputs
    legs: list[Leg]
    clock: Clock
    draw: random.Random
    note: str


def handle(state: dict[str, Any], item: dict[str, Any]) -> Any:
    """`item`: round, and the names of its workloads. `workloads`: of each of these microseconds a call of each block,
    and what stands beside them.

    Or `failed`, a code with a text; or `tampered`, the name of what is no longer what it was. Either is about that
    workload of which it asked last.
    """
    left = deque({"round": item["round"], "workload": name} for name in item["workloads"])
    if "pair" not in state:  # not in prepare: a candidate may end the process on import
        yield _question("ready", left[0])
        if state["device"] == "cuda":
            tracing.warm_up()  # with the context, in a turn like all that is done on the GPU
        state["timer"] = DeviceClock() if state["device"] == "cuda" else WallClock(state["device"])
        yield from _load_original(state, left)
        state["pair"] = (state["original"], entry_of(state["candidate"], "candidate", state["entry"]))
    found: dict[str, Any] = {}
    while left:
        measured = yield from _some(state, left)
        if "workloads" not in measured:
            return measured
        found |= measured["workloads"]
    return {"workloads": found}


def _load_original(state: dict[str, Any], asked: Sequence[dict[str, Any]]) -> Steps:
    """Its kernels for every workload, before there is a candidate here that could put others into Triton's cache."""
    if state["device"] == "cuda":
        for of in asked:
            case = _case(state["contract"], of["workload"])
            state["original"](**building.build(state["contract"], case, "cuda").arguments)
            yield from _let_others_in(of, "cuda")


def _case(contract: Any, name: str) -> Any:
    return next(case for workload, case in contract.cases() if workload["name"] == name)


def _some(state: dict[str, Any], left: deque[dict[str, Any]]) -> Any:
    """The first of the workloads that are left, as many as there is room for.

    From the first time to the last output nothing of the candidate runs but what was captured, so that it cannot tell
    what is timed from what is judged.
    """
    if name := state["watch"].changed():
        return {"tampered": name}
    if state["device"] == "cuda":
        torch.cuda.empty_cache()  # of those before, so that what is free is known
    stages: list[Stage] = []
    while left and (not stages or _room(state["device"])):
        stage = yield from _ready(state, left.popleft())
        if not isinstance(stage, Stage):
            return stage
        stages.append(stage)
    if name := state["watch"].changed():
        return {"tampered": name}
    found = {}
    for stage in stages:
        found[stage.of["workload"]] = yield from _timed(state, stage)
    for stage in stages:
        yield from _outputs(stage)
    for stage in stages:
        yield from _let_others_in(stage.of, state["device"])
        found[stage.of["workload"]] |= eager_blocks(state["pair"], stage.inputs, state["device"], stage.draw)
    name = state["watch"].changed()
    return {"tampered": name} if name else {"workloads": found}


def _room(device: str) -> bool:
    """Whether a workload more may lie ready: one takes at most five eighths of what is free."""
    free, total = torch.cuda.mem_get_info() if device == "cuda" else (1, 1)
    return bool(2 * free > total)


def _ready(state: dict[str, Any], of: dict[str, Any]) -> Any:
    """A stage with data that no call of the candidate has seen; or `failed` and why."""
    contract, device = state["contract"], state["device"]
    case = _case(contract, of["workload"])
    seed = yield _question("seed", of)
    draw = random.Random(seed["seed"])  # noqa: S311 - an order of blocks, not a secret
    inputs = Inputs.rotating(contract, cases.Case(seed=draw.randrange(1 << 30), **case.axes), device)
    yield from _let_others_in(of, device)
    inputs.remember(mutated_by(state["original"], inputs.calls))
    clock = state["timer"].another()
    legs, note = yield from build_legs(state["pair"], inputs, clock, draw, of)
    if isinstance(note, Failed):
        return {"failed": note.code, "text": note.text}
    inputs.refill((yield _question("seed", of))["seed"])
    return Stage(of, inputs, legs, clock, draw, note)


def _timed(state: dict[str, Any], stage: Stage) -> Any:
    """What is measured while the GPU is this process's alone."""
    blocks = Blocks(stage.clock, stage.legs, stage.inputs, stage.draw, state["sensors"])
    order = yield _question("blocks", stage.of, **blocks.found)
    before = state["sensors"].read()
    blocks.warm_up()
    while order["blocks"]:
        blocks.run(order["blocks"])
        order = yield _question("blocks", stage.of, **blocks.found)
    after = state["sensors"].read()
    sides = zip(("original", "candidate"), stage.legs, strict=False)
    traces = {f"{side}_trace": _traced(leg, stage.inputs) for side, leg in sides}
    yield from _runs(stage)
    kept = {
        "dropped": blocks.dropped,
        "late": blocks.late,
        "conditions": [before, after],
        "note": stage.note,
        "calls": stage.legs[0].calls,
    }
    return {**blocks.found, **traces, **kept}


def _question(what: str, of: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"ask": what, "of": of, **more}


def _let_others_in(of: dict[str, Any], device: str) -> Steps:
    """A question whose answer says nothing: until it comes, whoever waits to have the GPU alone has it.

    What lies between two takes seconds of building, compiling and capturing, for which all who measure would wait.
    """
    synchronize(device)
    yield _question("turn", of)


def _traced(leg: Leg, inputs: Inputs) -> dict[str, Any] | None:
    return tracing.trace(leg, inputs) if inputs.device == "cuda" else None


def _runs(stage: Stage) -> Steps:
    """Run what the parent names, as often as it says: original, candidate, the original again, or nothing."""
    calls, inputs = stage.legs[0].calls, stage.inputs
    known: list[Leg] = [*stage.legs[:3], IdleLeg(calls)]
    while not (order := (yield _question("run", stage.of, calls=calls)))["done"]:
        leg, left = known[order["leg"]], order["runs"]
        while left > 0:
            some = min(left, RUNS_BETWEEN_RESTORES) if inputs.in_place else left
            inputs.restore()
            stage.clock([leg] * some)
            left -= some


def _outputs(stage: Stage) -> Steps:
    """Raw bytes of a random share of the candidate's timed calls, on data that it has not seen, for another process."""
    order = yield _question("outputs", stage.of)
    stage.inputs.refill(order["seed"])
    draw = random.Random(order["seed"])  # noqa: S311 - the parent's seed is the secret
    picked = [found for leg in (stage.legs[1], stage.legs[3]) for found in sampled(leg, stage.inputs, draw)]
    answers = [{"leaves": [vars(leaf) for leaf in found.leaves], "error": found.error} for _, found in picked]
    torch.save({"calls": [n for n, _ in picked], "outcomes": answers}, order["path"])
    yield from _let_others_in(stage.of, stage.inputs.device)


class Failed:
    """The candidate cannot be timed as the original can."""

    def __init__(self, code: str, text: str) -> None:
        self.code, self.text = code, text


def build_legs(
    pair: tuple[Entry, Entry], inputs: Inputs, clock: Clock, draw: random.Random, of: dict[str, Any]
) -> Generator[Any, Any, tuple[list[Leg], str | Failed]]:
    """Original, candidate, and both once more; and what has to be said of them.

    Where its outputs lie makes a leg up to 1 % faster or slower: two of each, made in any order, take turns.
    """
    entries = (*pair, *pair)
    if inputs.device == "cpu":
        return [EagerLeg(entry, inputs, 1) for entry in entries], ""
    try:
        first = GraphLeg(pair[0], inputs, 1)
    except RuntimeError as error:
        eager: list[Leg] = [EagerLeg(entry, inputs, 1) for entry in entries]
        return eager, f"the original cannot be captured in a graph: {str(error).splitlines()[0]}"
    per_call_us = min(clock([first, first, first]))
    inputs.keep(sets_for(per_call_us, len(inputs.calls)))
    # Where a call overwrites its input, a second round would work on the first one's results.
    repeats = 1 if inputs.in_place else repeats_for(per_call_us, len(inputs.calls))
    del first
    made: dict[int, Leg] = {}
    for n in draw.sample(range(4), 4):
        yield from _let_others_in(of, inputs.device)
        try:
            made[n] = GraphLeg(entries[n], inputs, repeats)
        except RuntimeError as error:
            if entries[n] is pair[0]:
                raise
            text = f"cannot be captured in a CUDA graph, and the original can: {str(error).splitlines()[0]}"
            return [], Failed("graph_capture", text)
    return [made[n] for n in range(4)], ""


def eager_blocks(pair: tuple[Entry, Entry], inputs: Inputs, device: str, draw: random.Random) -> dict[str, Any]:
    """The whole call by wall clock, launch included: a gain on the device may lose here."""
    few = Inputs(inputs.contract, inputs.case, device, inputs.calls[:EAGER_CALLS], inputs.pristine[:EAGER_CALLS])
    repeats = max(1, EAGER_CALLS // len(few.calls)) if device == "cuda" else 1
    left, right = (EagerLeg(entry, few, repeats) for entry in pair)
    clock = WallClock(device)
    clock([left, right])
    blocks = []
    for _ in range(EAGER_BLOCKS):
        few.restore()
        blocks.append(mirrored(clock, left, right, draw))
    return {"eager_original_us": [a for a, _ in blocks], "eager_candidate_us": [b for _, b in blocks]}
