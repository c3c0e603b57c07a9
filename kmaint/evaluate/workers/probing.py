"""Calls a candidate as a server would: again and again, on the same memory, from several places, at real sizes.

The original runs here, while the candidate runs in a process of its own, which is told each call when it is made: one
that is wrong at the first costs no more than that. What is right alone and wrong in a sequence is no slip of the
arithmetic: it has a name of its own.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from runtime.sequences import Step, called_with  # type: ignore[import-not-found]

from .calls import building, cases, entry_of, judge, outcomes, subject, truth_of
from .naming import named, rounded, written
from .plan import Probe, base, plan, real_sizes, scaled

AT_SCALE_S = 5.0
"""What a large call may be expected to take, from how long small ones took."""
ALL_AT_SCALE_S = 10.0
"""For how long large calls are begun."""


@dataclass
class State:
    """What all items share: the harness, what the original gave so far, and whether the last item passed."""

    folder: Path
    entry: str
    device: str
    contract: Any
    original: Any
    reference: Any
    probes: list[Probe]
    call_limit_s: float
    kernels: bool
    turns: Any
    expected: list[list[Any]] = field(default_factory=list)
    passed: bool = True


def prepare(shared: dict[str, Any]) -> State:
    """`shared`: folder, entry, device ("cuda" or "cpu"), oracle, seed, call_limit_s, turns; `kernels`: whether every
    call has to launch one where the original's does; `exempt`: codes of what the original does as well."""
    os.environ["KMAINT_EXEMPT"] = ",".join(shared["exempt"])
    folder, device = Path(shared["folder"]), shared["device"]
    contract = cases.Contract.read(folder)
    original = subject.Local(entry_of(str(folder / "kernel.py"), "original", shared["entry"]), contract, device)
    reference = entry_of(str(folder / "reference.py"), "reference", "reference") if shared["oracle"] else None
    probes = list(plan(contract, shared["seed"], device))
    return State(
        *(folder, shared["entry"], device, contract, original, reference, probes),
        *(shared["call_limit_s"], shared["kernels"], shared["turns"]),
    )


def handle(state: State, item: dict[str, Any]) -> dict[str, Any]:
    """`item`: path, constants (whole numbers of its source), control. `code` and `text` of the first fault; empty if
    there is none.

    A control is left out where the candidate before it was refused: nothing is trusted then.
    """
    if item["control"] and not state.passed:
        return {"code": "not_run", "text": ""}
    try:
        code, text = _first_fault(state, item)
    except subject.SubjectLost as lost:
        code, text = lost.code, str(lost)
    if not item["control"]:
        state.passed = not code
    return {"code": code, "text": text}


def _first_fault(state: State, item: dict[str, Any]) -> tuple[str, str]:
    path = Path(item["path"])
    with _begun(state, path) as candidate:
        launches, slowest, before = 0, 0.0, list[Any]()
        getattr(candidate, "wait_until_ready", list)()  # before a turn is taken; an older harness waits in it
        for number, probe in enumerate(state.probes):
            with state.turns.shared():  # a turn each: whoever waits to have the GPU alone waits for one of them
                expected, actual, took_s = _both(state, number, candidate)
            slowest = max(slowest, took_s / sum(_rows(state, s.case) for s in probe.steps))
            launches += sum(outcome.launches for outcome in actual)
            if found := _compared(state, probe, expected, actual, before):
                code, text, step = found
                return (_alone(state, path, step, code) if code in CARRIED else code), text
            before += actual
        for case in _at_scale(state, item["constants"], launches, slowest):
            with state.turns.shared():
                fault = _against_truth(state, case, candidate)
            if fault:
                return fault
        small = base(state.contract, state.probes[0].steps[0].case, rows=2)
        with state.turns.shared():
            candidate.growth([small.but(seed=small.seed + number) for number in range(30)])
    return "", ""


def _both(state: State, number: int, candidate: Any) -> tuple[list[Any], list[Any], float]:
    """What the original and the candidate give for a probe, and how long the latter took, where that has to be found
    out while the former computes."""
    steps = state.probes[number].steps

    def timed() -> tuple[list[Any], float]:
        started = time.monotonic()
        return candidate.steps(steps), time.monotonic() - started

    if number < len(state.expected):
        return state.expected[number], *timed()
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(timed)
        state.expected.append(state.original.steps(steps))
        return state.expected[number], *asked.result()


CARRIED = ("mismatch", "stale_result", "phase_detection", "uninitialised")
"""Codes of a wrong result that say whether what went before it, or where it was asked for, had a part in it."""


def _begun(state: State, path: Path) -> Any:
    return subject.remote(state.folder, path, state.entry, state.device, limit_s=state.call_limit_s)


def _alone(state: State, path: Path, step: Any, code: str) -> str:
    """The code of a wrong result, once the same call was made first thing in a new process: wrong there too, it is
    plainly wrong; right there even from the place where it was wrong, it came from what was there before."""
    plain = dataclasses.replace(step, buffers="fresh", caller="plain", guarded=True, bad=False)
    want, got = _first(state, path, plain)
    if _differences(state, plain, want, got):
        return code if code == "uninitialised" else "less_accurate" if rounded(want, got) else "mismatch"
    there = dataclasses.replace(step, buffers="fresh", bad=False)
    if code == "phase_detection" and there != plain:
        want, got = _first(state, path, there)
        if _differences(state, there, want, got):
            return code
    return "stale_result"


def _first(state: State, path: Path, step: Any) -> tuple[Any, Any]:
    """What the original and the candidate do when the step is all that they are asked."""
    with state.turns.shared():
        (want,) = state.original.steps([step])
    with _begun(state, path) as candidate, state.turns.shared():
        (got,) = candidate.steps([step])
    return want, got


def _differences(state: State, step: Any, want: Any, got: Any) -> list[Any]:
    """How the candidate's call differs from the original's; with an oracle, the truth may stand in for the latter."""

    def truth(draw: int = 0) -> dict[str, torch.Tensor]:
        with state.turns.shared():
            return truth_of(state.reference, called_with(state.contract, step, None, state.device).arguments, draw)

    told: list[Any] = judge.differences(
        want, got, interpreted=state.device == "cpu", truth=truth if state.reference else None
    )
    return told


def _rows(state: State, case: Any) -> int:
    """About how many programs a call has: the size of its first tensor's leading axis."""
    for spec in state.contract.arguments:
        if spec["kind"] == "tensor" and spec["shape"]:
            return max(1, int(cases.evaluate(spec["shape"][0], case.axes)))
    return 1


# --- What a difference is called


def _compared(
    state: State, probe: Probe, expected: list[Any], actual: list[Any], before: list[Any]
) -> tuple[str, str, Any] | None:
    """The first difference with its code, its text and the step; `before` is what earlier probes gave."""
    if len(actual) != len(expected):
        return "spoofed_result", f"answers {len(actual)} calls of {len(expected)}", probe.steps[0]
    for index, (want, got) in enumerate(zip(expected, actual, strict=True)):
        found = _differences(state, probe.steps[index], want, got)
        if not found and state.kernels and want.launches and not got.launches:
            found = [judge.Difference("no_kernel_launched", "launches no kernel; torch does its work")]
        if not found and state.reference is None:
            found = _short(state, probe, index, want, got)
        if found:
            code = named(probe, found[0], want, got, [*before, *actual[:index]])
            step = probe.steps[index]
            where = f"{step.case}" if probe.kind == "single" else f"call {index + 1} of {probe.what}, {step.case}"
            return code, f"{where}: {found[0].text}", step
    return None


def _short(state: State, probe: Probe, index: int, want: Any, got: Any) -> list[Any]:
    """Where there is no oracle: results farther from what the original gives for the same numbers in float32."""
    if probe.kind != "single" or want.error or not any(_is_short(leaf) for leaf in written(want)):
        return []
    call = building.build(state.contract, probe.steps[index].case, state.device)
    wider = {
        name: value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for name, value in call.arguments.items()
    }
    try:
        returned = state.original.entry(**wider)
    except (RuntimeError, ValueError, TypeError, AssertionError, AttributeError, LookupError):
        return []  # it takes no such dtype
    truth = {leaf.path: leaf for leaf in outcomes.returned_leaves("return", returned, building.Call({}, {}))}
    right = {leaf.path: leaf for leaf in got.leaves}
    found = []
    for leaf in written(want):
        known = truth.get(leaf.path)
        if known is None or known.dtype != "torch.float32" or known.shape != leaf.shape or not _is_short(leaf):
            continue
        found += _farther(outcomes.tensor_of(known).double(), leaf, right[leaf.path])
    return found


def _is_short(leaf: Any) -> bool:
    return leaf.dtype in ("torch.float16", "torch.bfloat16")


def _farther(truth: torch.Tensor, want: Any, got: Any) -> list[Any]:
    left, right = outcomes.tensor_of(want), outcomes.tensor_of(got)
    own, other = judge.error_against(truth, left), judge.error_against(truth, right)
    tolerance = judge.TOLERANCES[left.dtype]
    if own > tolerance.relative or other <= judge.WORSE * own + tolerance.absolute:
        return []
    text = (
        f"{want.path} is off from the original in float32 by {other:.3g} of its row's scale, the original by {own:.3g}"
    )
    return [judge.Difference("less_accurate", text)]


# --- At the sizes that are timed, and at those that the candidate's own source names


def _at_scale(state: State, constants: list[int], launches: int, row_s: float) -> Iterator[Any]:
    """Cases that the interpreter cannot run through the original: held against the float64 reference."""
    if state.reference is None:
        return
    until = time.monotonic() + ALL_AT_SCALE_S
    seed = state.probes[0].steps[0].case.seed
    for case in [*scaled(state.contract, constants, seed), *real_sizes(state.contract, seed)]:
        if time.monotonic() < until and (not launches or row_s * _rows(state, case) <= AT_SCALE_S):
            yield case


def _against_truth(state: State, case: Any, candidate: Any) -> tuple[str, str] | None:
    (got,) = candidate.steps([Step(case)])
    truth = truth_of(state.reference, building.build(state.contract, case, state.device).arguments)
    if got.error:
        return "mismatch", f"{case}: {got.error}"
    for leaf in got.leaves:
        known = truth.get(leaf.path)
        if known is None or leaf.kind != "tensor":
            continue
        if tuple(known.shape) != tuple(leaf.shape):
            return "mismatch", f"{case}: {leaf.path} has shape {leaf.shape}, not {tuple(known.shape)}"
        if leaf.dtype.removeprefix("torch.") in SKIPPED and state.device == "cpu":
            continue
        tolerance = judge.TOLERANCES.get(outcomes.tensor_of(leaf).dtype)
        if tolerance is None:
            continue
        off = judge.error_against(known, outcomes.tensor_of(leaf))
        if not off <= 2 * (tolerance.relative + tolerance.absolute):
            return "mismatch", f"{case}: {leaf.path} is off from float64 by {off:.3g} of its row's scale"
    return None


SKIPPED = ("float8_e4m3fn", "float8_e5m2")
