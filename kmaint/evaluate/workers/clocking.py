"""Paired times of original and candidate: blocks of A B B A or B A A B, drawn at random, with A/A blocks among them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from .calls import cases, entry_of
from .replay import (
    Clock,
    DeviceClock,
    EagerLeg,
    Entry,
    GraphLeg,
    Inputs,
    Leg,
    WallClock,
    disagreement,
    mutated_by,
    repeats_for,
    sets_for,
)
from .surveying import query

WARM_UP_BLOCKS = 3
EAGER_BLOCKS = 8
EAGER_CALLS = 32


def prepare(shared: dict[str, Any]) -> dict[str, Any]:
    """`shared`: folder, entry, candidate, blocks, seed, uuid, clock ("graph"; "wall" is a dry run)."""
    folder = Path(shared["folder"])
    return {
        **shared,
        "contract": cases.Contract.read(folder),
        "original": entry_of(str(folder / "kernel.py"), "original", shared["entry"]),
        "device": "cuda" if shared["clock"] == "graph" else "cpu",
    }


def handle(state: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """`item`: workload (its name) and ask_clock. Microseconds a call of each block, or how timed outputs differ."""
    contract, device = state["contract"], state["device"]
    if "pair" not in state:  # not in prepare: a candidate may end the process on import
        state["pair"] = (state["original"], entry_of(state["candidate"], "candidate", state["entry"]))
    case = next(case for workload, case in contract.cases() if workload["name"] == item["workload"])
    draw = random.Random(f"{state['seed']} {item['workload']}")  # noqa: S311 - an order of blocks, not a secret
    inputs = Inputs.rotating(contract, cases.Case(seed=draw.randrange(1 << 30), **case.axes), device)
    inputs.remember(mutated_by(state["original"], inputs.calls[0], device))
    pair = state["pair"]
    legs, clock, note = build_legs(pair, inputs, state["clock"])
    if isinstance(note, Failed):
        return {"failed": note.code, "text": note.text}
    inputs.refill(draw.randrange(1 << 30))
    blocks = paired_blocks(clock, legs, inputs, state["blocks"], draw)
    # The device is still warm here; asking takes longer than the blocks did, so only where the request says so.
    speed = query("clocks.sm", state.get("uuid")) if item["ask_clock"] and device == "cuda" else ""
    inputs.refill(draw.randrange(1 << 30))
    differs = disagreement(legs[0], legs[1], inputs, device)
    eager = eager_blocks(pair, inputs, device, draw)
    return {
        **blocks,
        **eager,
        "differs": differs,
        "note": note,
        "calls": legs[0].calls,
        "clock_mhz": int(speed) if speed.isdigit() else None,
    }


class Failed:
    """The candidate cannot be timed as the original can."""

    def __init__(self, code: str, text: str) -> None:
        self.code, self.text = code, text


def build_legs(pair: tuple[Entry, Entry], inputs: Inputs, kind: str) -> tuple[list[Leg], Clock, str | Failed]:
    """Original, candidate, and the original once more for the A/A blocks, with the clock that fits them."""
    if kind == "wall":
        return [EagerLeg(entry, inputs, 1) for entry in (*pair, pair[0])], WallClock("cpu"), ""
    clock = DeviceClock()
    try:
        first = GraphLeg(pair[0], inputs, 1)
    except RuntimeError as error:
        eager: list[Leg] = [EagerLeg(entry, inputs, 1) for entry in (*pair, pair[0])]
        return eager, clock, f"the original cannot be captured in a graph: {str(error).splitlines()[0]}"
    per_call_us = min(clock([first, first, first]))
    inputs.calls = inputs.calls[: sets_for(per_call_us, len(inputs.calls))]
    inputs.pristine = inputs.pristine[: len(inputs.calls)]
    # Where a call overwrites its input, a second round would work on the first one's results.
    repeats = 1 if inputs.in_place else repeats_for(per_call_us, len(inputs.calls))
    original, again = GraphLeg(pair[0], inputs, repeats), GraphLeg(pair[0], inputs, repeats)
    try:
        candidate = GraphLeg(pair[1], inputs, repeats)
    except RuntimeError as error:
        text = f"cannot be captured in a CUDA graph, and the original can: {str(error).splitlines()[0]}"
        return [original], clock, Failed("graph_capture", text)
    return [original, candidate, again], clock, ""


def paired_blocks(
    clock: Clock, legs: list[Leg], inputs: Inputs, blocks: int, draw: random.Random
) -> dict[str, list[float]]:
    """Each block times both of a pair twice, in one of the two mirrored orders; pairs take turns at random."""
    original, candidate, again = legs
    for _ in range(WARM_UP_BLOCKS):
        inputs.restore()
        clock([original, candidate, again])
    turns = ["pair"] * blocks + ["control"] * blocks
    draw.shuffle(turns)
    found: dict[str, list[float]] = {"original_us": [], "candidate_us": [], "control_a_us": [], "control_b_us": []}
    for turn in turns:
        inputs.restore()
        a, b = (original, candidate) if turn == "pair" else (original, again)
        names = ("original_us", "candidate_us") if turn == "pair" else ("control_a_us", "control_b_us")
        left, right = mirrored(clock, a, b, draw)
        found[names[0]].append(left)
        found[names[1]].append(right)
    return found


def mirrored(clock: Clock, a: Leg, b: Leg, draw: random.Random) -> tuple[float, float]:
    """Means of one block, A B B A or B A A B: what drifts linearly through it hits both alike."""
    if draw.random() < 0.5:
        one, two, three, four = clock([a, b, b, a])
        return (one + four) / 2, (two + three) / 2
    one, two, three, four = clock([b, a, a, b])
    return (two + three) / 2, (one + four) / 2


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
