"""Paired times of original and candidate: blocks of A B B A or B A A B, drawn at random, with A/A blocks among them.

What decides is asked of the parent on the way: the seeds of the data, whether more blocks are needed, and how often to
run which leg while it looks at a clock of its own.
"""

from __future__ import annotations

import random
from collections.abc import Generator
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


def handle(state: dict[str, Any], item: dict[str, Any]) -> Any:
    """`item`: workload (its name) and round. Microseconds a call of each block and what stands beside them.

    Or `failed`, a code with a text; or `tampered`, the name of what is no longer what it was.
    """
    if "pair" not in state:  # not in prepare: a candidate may end the process on import
        yield _question("ready", item)
        if state["device"] == "cuda":
            tracing.warm_up()  # with the context, in a turn like all that is done on the GPU
        yield from _load_original(state, item)
        state["pair"] = (state["original"], entry_of(state["candidate"], "candidate", state["entry"]))
    if name := state["watch"].changed():
        return {"tampered": name}
    found = yield from _measured(state, item)
    name = state["watch"].changed()
    return {"tampered": name} if name else found


def _load_original(state: dict[str, Any], item: dict[str, Any]) -> Steps:
    """Its kernels for every workload, before there is a candidate here that could put others into Triton's cache."""
    if state["device"] == "cuda":
        for workload, case in state["contract"].cases():
            if workload["weight"]:
                state["original"](**building.build(state["contract"], case, "cuda").arguments)
                yield from _let_others_in(item, "cuda")


def _measured(state: dict[str, Any], item: dict[str, Any]) -> Any:
    contract, device, pair = state["contract"], state["device"], state["pair"]
    case = next(case for workload, case in contract.cases() if workload["name"] == item["workload"])
    seed = yield _question("seed", item)
    draw = random.Random(seed["seed"])  # noqa: S311 - an order of blocks, not a secret
    inputs = Inputs.rotating(contract, cases.Case(seed=draw.randrange(1 << 30), **case.axes), device)
    yield from _let_others_in(item, device)
    inputs.remember(mutated_by(state["original"], inputs.calls))
    legs, clock, note = yield from build_legs(pair, inputs, state["clock"], draw, item)
    if isinstance(note, Failed):
        return {"failed": note.code, "text": note.text}
    inputs.refill((yield _question("seed", item))["seed"])
    before = state["sensors"].read()
    blocks = Blocks(clock, legs, inputs, draw, state["sensors"])
    blocks.warm_up()
    while (order := (yield _question("blocks", item, **blocks.found)))["blocks"]:
        blocks.run(order["blocks"])
    after = state["sensors"].read()
    traces = {f"{side}_trace": _traced(leg, inputs) for side, leg in zip(("original", "candidate"), legs, strict=False)}
    yield from _runs(clock, legs, inputs, item)
    yield from _outputs([legs[1], legs[3]], inputs, item)
    yield from _let_others_in(item, device)
    eager = eager_blocks(pair, inputs, device, draw)
    kept = {
        "dropped": blocks.dropped,
        "late": blocks.late,
        "conditions": [before, after],
        "note": note,
        "calls": legs[0].calls,
    }
    return {**blocks.found, **traces, **eager, **kept}


def _question(what: str, item: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"ask": what, "of": item, **more}


def _let_others_in(item: dict[str, Any], device: str) -> Steps:
    """A question whose answer says nothing: until it comes, whoever waits to have the GPU alone has it.

    What lies between two takes seconds of building, compiling and capturing, for which all who measure would wait.
    """
    synchronize(device)
    yield _question("turn", item)


def _traced(leg: Leg, inputs: Inputs) -> dict[str, Any] | None:
    return tracing.trace(leg, inputs) if inputs.device == "cuda" else None


def _runs(clock: Clock, legs: list[Leg], inputs: Inputs, item: dict[str, Any]) -> Steps:
    """Run what the parent names, as often as it says: original, candidate, the original again, or nothing."""
    known: list[Leg] = [*legs[:3], IdleLeg(legs[0].calls)]
    while not (order := (yield _question("run", item, calls=legs[0].calls)))["done"]:
        leg, left = known[order["leg"]], order["runs"]
        while left > 0:
            some = min(left, RUNS_BETWEEN_RESTORES) if inputs.in_place else left
            inputs.restore()
            clock([leg] * some)
            left -= some


def _outputs(legs: list[Leg], inputs: Inputs, item: dict[str, Any]) -> Steps:
    """Raw bytes of a random share of the candidate's timed calls, on data that it has not seen, for another process."""
    order = yield _question("outputs", item)
    inputs.refill(order["seed"])
    draw = random.Random(order["seed"])  # noqa: S311 - the parent's seed is the secret
    picked = [found for leg in legs for found in sampled(leg, inputs, draw)]
    answers = [{"leaves": [vars(leaf) for leaf in found.leaves], "error": found.error} for _, found in picked]
    torch.save({"calls": [n for n, _ in picked], "outcomes": answers}, order["path"])


class Failed:
    """The candidate cannot be timed as the original can."""

    def __init__(self, code: str, text: str) -> None:
        self.code, self.text = code, text


def build_legs(
    pair: tuple[Entry, Entry], inputs: Inputs, kind: str, draw: random.Random, item: dict[str, Any]
) -> Generator[Any, Any, tuple[list[Leg], Clock, str | Failed]]:
    """Original, candidate, and both once more, with the clock that fits them.

    Where its outputs lie makes a leg up to 1 % faster or slower: two of each, made in any order, take turns.
    """
    entries = (*pair, *pair)
    if kind == "wall":
        return [EagerLeg(entry, inputs, 1) for entry in entries], WallClock("cpu"), ""
    clock = DeviceClock()
    try:
        first = GraphLeg(pair[0], inputs, 1)
    except RuntimeError as error:
        eager: list[Leg] = [EagerLeg(entry, inputs, 1) for entry in entries]
        return eager, clock, f"the original cannot be captured in a graph: {str(error).splitlines()[0]}"
    per_call_us = min(clock([first, first, first]))
    inputs.keep(sets_for(per_call_us, len(inputs.calls)))
    # Where a call overwrites its input, a second round would work on the first one's results.
    repeats = 1 if inputs.in_place else repeats_for(per_call_us, len(inputs.calls))
    del first
    made: dict[int, Leg] = {}
    for n in draw.sample(range(4), 4):
        yield from _let_others_in(item, inputs.device)
        try:
            made[n] = GraphLeg(entries[n], inputs, repeats)
        except RuntimeError as error:
            if entries[n] is pair[0]:
                raise
            text = f"cannot be captured in a CUDA graph, and the original can: {str(error).splitlines()[0]}"
            return [], clock, Failed("graph_capture", text)
    return [made[n] for n in range(4)], clock, ""


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
