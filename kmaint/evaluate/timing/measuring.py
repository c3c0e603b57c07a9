"""Rung 7: the times of two files compared, from a worker's samples to a record or a rejection.

The worker that imports the candidate only runs and claims. Here seeds are drawn after it was imported, more blocks are
asked for while a call is close, a clock of our own runs beside, and a second worker, which never sees the candidate,
judges what its timed calls left behind.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from kmaint import wire
from kmaint.evaluate.bench import Answer, Bench, Done, Failed, Lost, Request, ask, walls_to_time
from kmaint.evaluate.rungs import facts
from kmaint.evaluate.rungs.profile import floor_us
from kmaint.evaluate.rungs.suite import verdict_of
from kmaint.evaluate.timing.ratios import below_floor, combine, trace_agrees
from kmaint.evaluate.timing.session import Effort, Session, key
from kmaint.intervals import are_times, interval
from kmaint.records.evaluation import Dishonest, Rejection, Wrong
from kmaint.records.harness import Harness
from kmaint.records.timing import Conditions, Timing, Trace, WorkloadTiming

PAIRS = (("original", "candidate"), ("control_a", "control_b"), ("eager_original", "eager_candidate"))
"""Samples whose ratios are taken, each as long as the other."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A comparison over all timed workloads, and the SM clock before the first and after the last of them."""

    timing: Timing
    clocks_mhz: tuple[int, ...]
    given_up: str = ""
    """Why it was timed no longer than a first look takes; empty where it was."""
    first: Timing | None = None
    """What an earlier measurement called a win, which this one was to confirm."""


Values = dict[str, dict[str, Any]]
"""What was measured of each workload of a round, by name."""


def measure(
    harness: Harness, file: Path, bench: Bench, scratch: Path, effort: Effort | None = None
) -> Measured | Rejection:
    """Time the file against the harness's kernel on every timed workload, in one process and one session."""
    return measure_rounds(harness, file, bench, scratch, effort or Effort())[0]


def measure_rounds(
    harness: Harness, file: Path, bench: Bench, scratch: Path, effort: Effort
) -> list[Measured | Rejection]:
    """As `measure`, with one result for each round."""
    session = Session(scratch=scratch, effort=effort)
    names = [one.name for one in harness.contract.timed]
    items = tuple({"round": n, "workloads": names} for n in range(effort.rounds))
    answers = ask(bench, _request(harness, file, bench, session, items), scratch)
    claimed = [_claimed(harness, session, n, answer) for n, answer in enumerate(answers)]
    judged = _verify(harness, claimed, session, bench)
    found = [_combined(harness, one, bench) for one in judged]
    return [replace(one, given_up=session.given_up) if isinstance(one, Measured) else one for one in found]


def _request(
    harness: Harness, file: Path, bench: Bench, session: Session, items: tuple[dict[str, Any], ...]
) -> Request:
    folder, on_gpu = harness.folder.resolve(), session.effort.clock == "graph"
    return Request(
        command="time",
        shared={
            "folder": str(folder),
            "entry": harness.entry,
            "candidate": str(file.resolve()),
            "uuid": bench.environment.device_uuid,
            "clock": session.effort.clock,
            "scratch": str(session.scratch),
            "walls": walls_to_time(harness, [file], bench, session.scratch),
        },
        items=items,
        limit_s=bench.limits_s["time"],
        harness=folder,
        gpu=on_gpu,
        interpret=not on_gpu,
        reply=session.reply,
        parts=len(harness.contract.timed),
    )


def _claimed(harness: Harness, session: Session, n: int, answer: Answer) -> Values | Rejection:
    """What the worker gives of each workload of the round; it runs the candidate, so that it may give anything."""
    at = session.at.get(n, harness.contract.timed[0].name)
    if session.made_up:
        return verdict_of("spoofed_result", f"{at}: asks {session.made_up!r} in the name of what times it", "")
    if not isinstance(answer, Done):
        return _ended(at, answer)
    match answer.value:
        case {"failed": "graph_capture", "text": text}:
            return verdict_of("graph_capture", f"{at}: {text}", "")
        case {"tampered": name}:
            reason = f"{at}: {name} is no longer what it was before the candidate was imported"
            return Dishonest(reason=reason, codes=("tampered",))
        case {"workloads": dict(values)} if all(
            _is_sound(values.get(one.name)) and key(n, one.name) in session.outputs.keys() & session.watches.keys()
            for one in harness.contract.timed
        ):
            return {one.name: values[one.name] for one in harness.contract.timed}
    return verdict_of("spoofed_result", f"{at}: gives no times, or others than were asked for", "")


def _is_sound(value: Any) -> bool:
    """Whether a record can be made of it."""
    if not isinstance(value, dict):
        return False
    pairs = [[value.get(f"{name}_us") for name in pair] for pair in PAIRS]
    if not all(are_times(one) for pair in pairs for one in pair):
        return False
    try:
        ends = _beside(value)["conditions"]
    except (TypeError, ValueError):
        return False
    alike = all(len(a or ()) == len(b or ()) > 0 for a, b in pairs)
    return alike and len(ends) == len(("before", "after")) and isinstance(value.get("note"), str)


def _ended(at: str, answer: Failed | Lost) -> Rejection:
    match answer:
        case Failed(type=kind, text=text, log=log):
            return Wrong(reason=f"{at}: {kind}: {facts.first_line(text)}", codes=("exception",), log=log)
        case Lost(code=code, text=text, log=log):
            return verdict_of(code, f"{at}: {text}", log)


def _verify(
    harness: Harness, claimed: Sequence[Values | Rejection], session: Session, bench: Bench
) -> list[Values | Rejection]:
    """Of each round what was claimed, with what the session knows of it; or the verdict on what timed calls left."""
    folder, on_gpu = harness.folder.resolve(), session.effort.clock == "graph"
    left = [(n, name) for n, given in enumerate(claimed) if isinstance(given, dict) for name in given]
    request = Request(
        command="verify",
        shared={
            "folder": str(folder),
            "entry": harness.entry,
            "device": "cuda" if on_gpu else "cpu",
            "oracle": harness.oracle,
        },
        items=tuple({"workload": name, **session.outputs[key(n, name)]} for n, name in left),
        limit_s=bench.limits_s["time"],
        harness=folder,
        gpu=on_gpu,
        interpret=not on_gpu,
    )
    answers = dict(zip(left, ask(bench, request, session.scratch), strict=True))
    for found in session.outputs.values():
        Path(found["path"]).unlink(missing_ok=True)
    return [
        _judged(given, answers, n, session) if isinstance(given, dict) else given for n, given in enumerate(claimed)
    ]


def _judged(given: Values, answers: dict[tuple[int, str], Answer], n: int, session: Session) -> Values | Rejection:
    judged: Values = {}
    for name in given:
        answer = answers[n, name]
        if not isinstance(answer, Done):
            return _ended(name, answer)
        if answer.value["code"]:
            return verdict_of(answer.value["code"], f"{name}: {answer.value['text']}", "")
        watch = session.watches[key(n, name)]
        if disagreement := watch.disagreement():
            return Dishonest(reason=f"{name}: {disagreement}", codes=("clock_disagrees",))
        judged[name] = {**given[name], "compared": answer.value["compared"], "wall_ratio": watch.ratio}
    return judged


def _combined(harness: Harness, values: Values | Rejection, bench: Bench) -> Measured | Rejection:
    """One round's workloads as a comparison, unless one of their times cannot be true."""
    if isinstance(values, Rejection):
        return values
    timings = []
    for workload in harness.contract.timed:
        value = values[workload.name]
        floor = floor_us(harness.contract, workload, bench.environment)
        timings.append(workload_timing(workload.name, workload.weight, value, floor_us=floor))
        if refused := _refused(timings[-1], captured=not value["note"]):
            return refused
    ends = (timings[0].conditions[0], timings[-1].conditions[-1])
    clocks = tuple(conditions.sm_mhz for conditions in ends if conditions.sm_mhz)
    return Measured(timing=combine(timings), clocks_mhz=clocks)


def _refused(found: WorkloadTiming, *, captured: bool) -> Rejection | None:
    """Why a time cannot be true: beyond what memory allows, or against the device's own records."""
    median_us = statistics.median(found.candidate_us)
    if below_floor(found):
        reason = f"{found.workload}: {median_us:.2f} us is less than memory allows ({found.floor_us:.2f} us)"
        return Dishonest(reason=reason, codes=("not_run",))  # the work was not run
    theirs, ours = found.original_trace, found.candidate_trace
    # Where the records do not clearly fit the original's time either, it is they that say nothing.
    agrees = partial(trace_agrees, captured=captured, floor_us=found.floor_us)
    if theirs is None or not agrees(statistics.median(found.original_us), theirs, clearly=True):
        return None
    if ours is None:
        reason = f"{found.workload}: {median_us:.2f} us a call, and the device has no record of it"
        return Dishonest(reason=reason, codes=("clock_disagrees",))
    if not agrees(median_us, ours):
        busy = f"the device was busy for {ours.busy_us:.2f} us in {ours.launches:g} launches"
        return Dishonest(reason=f"{found.workload}: {median_us:.2f} us a call, and {busy}", codes=("clock_disagrees",))
    return None


def workload_timing(
    name: str, weight: float, value: dict[str, Any], *, floor_us: float | None = None
) -> WorkloadTiming:
    """The record of what the worker measured."""
    return WorkloadTiming(
        workload=name,
        weight=weight,
        original_us=tuple(value["original_us"]),
        candidate_us=tuple(value["candidate_us"]),
        speedup=interval(value["original_us"], value["candidate_us"]),
        noise=interval(value["control_a_us"], value["control_b_us"]),
        eager=interval(value["eager_original_us"], value["eager_candidate_us"]),
        floor_us=floor_us,
        control_a_us=tuple(value["control_a_us"]),
        control_b_us=tuple(value["control_b_us"]),
        wall_ratio=value.get("wall_ratio"),
        compared=value.get("compared"),
        **_beside(value),
    )


def _beside(value: dict[str, Any]) -> dict[str, Any]:
    """What stands beside the samples, as records."""
    traces = {side: value.get(side) for side in ("original_trace", "candidate_trace")}
    return {
        "dropped": int(value.get("dropped", 0)),
        "late": int(value.get("late", 0)),
        "conditions": tuple(wire.load(Conditions, found) for found in value.get("conditions", ())),
        **{side: wire.load(Trace, found) if found else None for side, found in traces.items()},
    }
