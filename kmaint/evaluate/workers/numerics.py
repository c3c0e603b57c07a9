"""How a candidate's numbers differ from the original's, and which of the two is nearer to the truth.

The original runs here; the candidate runs in a process of its own that is never told what is expected of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .calls import (
    building,
    cases,
    conditioning,
    entry_of,
    interpreter_sized,
    judge,
    outcomes,
    subject,
    truth_of,
)

CONTENTS = ("normal", "outlier")
"""Profiles of values at which errors are compared: the usual, and rows whose scale one element sets."""


Truth = Callable[..., dict[str, torch.Tensor]]
"""As the judge asks for it: without an argument, or by the number of a draw."""


def prepare(shared: dict[str, Any]) -> dict[str, Any]:
    """`shared`: folder, entry, device ("cuda" or "cpu"), oracle, seed, call_limit_s, exempt; `trusted`: whether it is
    the framework's own op, which is neither watched nor walled in."""
    os.environ.update({"KMAINT_TRUSTED": "1"} if shared["trusted"] else {})
    os.environ["KMAINT_EXEMPT"] = ",".join(shared["exempt"])
    return {**shared, "contract": cases.Contract.read(Path(shared["folder"]))}


def handle(state: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """`item`: path of the candidate. The fields of a records.Numerics and `differences`, or `lost` with its text."""
    folder, device = Path(state["folder"]), state["device"]
    original = subject.Local(entry_of(str(folder / "kernel.py"), "original", state["entry"]), state["contract"], device)
    reference = entry_of(str(folder / "reference.py"), "reference", "reference") if state["oracle"] else None
    ledger = Ledger(interpreted=device == "cpu")
    try:
        with subject.remote(
            folder, Path(item["path"]), state["entry"], device, limit_s=state["call_limit_s"]
        ) as candidate:
            getattr(candidate, "wait_until_ready", list)()  # before a turn is taken; an older harness waits in it
            for workload, case in _cases(state):
                with state["turns"].shared():
                    expected, actual = original(case), candidate(case)
                    truth = _truth(state, reference, case) if reference and not expected.error else None
                ledger.compare(f"{workload['name']}, {case}", truth, expected, actual)
                if truth is not None:
                    ledger.measure(workload["name"], truth, expected, actual)
    except subject.SubjectLost as lost:
        return {"lost": lost.code, "text": str(lost)}
    return ledger.result()


def _truth(state: dict[str, Any], reference: Callable[..., Any], case: Any) -> Truth:
    """What the reference gives for the case, worked out at once; its draws, when they are asked for, in a turn each."""
    arguments = building.build(state["contract"], case, state["device"]).arguments
    known = truth_of(reference, arguments)

    def found(draw: int = 0) -> dict[str, torch.Tensor]:
        if not draw:
            return known
        with state["turns"].shared():
            return truth_of(reference, arguments, draw)

    return found


def _cases(state: dict[str, Any]) -> list[tuple[dict[str, Any], Any]]:
    """The workloads; those that the interpreter's limits make alike are judged once."""
    contract = state["contract"]
    found: dict[str, tuple[dict[str, Any], Any]] = {}
    for workload, case in contract.cases():
        sized = case if state["device"] == "cuda" else interpreter_sized(contract, case)
        for values in CONTENTS:
            own = cases.Case(seed=case.seed ^ state["seed"], values=values, **sized.axes)
            found.setdefault(repr((sized.axes, values)), (workload, own))
    return list(found.values())


class Ledger:
    """Adds up over all cases what a records.Numerics holds."""

    def __init__(self, *, interpreted: bool) -> None:
        self._interpreted = interpreted
        self._exact = True
        self._largest = 0.0
        self._oracle = False
        self._errors: tuple[float, float] | None = None
        self._not_judged: set[str] = set()
        self._differences: list[dict[str, str]] = []

    def compare(self, where: str, truth: Truth | None, expected: Any, actual: Any) -> None:
        for found in judge.differences(expected, actual, interpreted=self._interpreted, truth=truth):
            self._differences.append({"code": found.code, "text": f"{where}: {found.text}"})
        if expected.error or actual.error or len(expected.leaves) != len(actual.leaves):
            return
        for want, got in zip(expected.leaves, actual.leaves, strict=True):
            self._leaf(want, got)

    def _leaf(self, want: Any, got: Any) -> None:
        if want.kind != "tensor" or (want.dtype, want.shape) != (got.dtype, got.shape):
            return
        if torch.equal(want.raw, got.raw):
            return
        left, right = outcomes.tensor_of(want), outcomes.tensor_of(got)
        self._exact = False
        if self._interpreted and left.dtype in judge.INTERPRETER_CANNOT_JUDGE:
            self._not_judged.add(f"{want.path}: but roughly, as the interpreter's cast to {want.dtype} is wrong")
            return
        if left.is_floating_point():
            self._largest = max(self._largest, judge.error_against(left.double(), right))

    def measure(self, workload: str, truth: Truth, expected: Any, actual: Any) -> None:
        """Errors of both against the truth, over the leaves that the reference knows.

        Where the original misses it by more than its type's rounding, neither error says anything, and neither counts.
        """
        known = truth()
        for want, got in zip(expected.leaves, actual.leaves, strict=False):
            if want.path not in known or want.kind != "tensor" or got.shape != want.shape:
                continue
            left, right = outcomes.tensor_of(want), outcomes.tensor_of(got)
            if self._interpreted and left.dtype in judge.INTERPRETER_CANNOT_JUDGE:
                continue
            exact, tolerance = known[want.path], judge.TOLERANCES.get(left.dtype)
            own, other = judge.error_against(exact, left), judge.error_against(exact, right)
            if conditioning and _farther(tolerance, own, other):
                asked = judge.beyond(exact, right, judge.WORSE * own + tolerance.absolute)
                left_open = conditioning.undecided(truth, want.path, right, tolerance, asked, rows=False)
                right = torch.where(left_open, exact, right.double()).to(right.dtype)
                other = judge.error_against(exact, right)
            self._oracle = True
            if tolerance is not None and not own <= tolerance.relative:
                continue
            before = self._errors or (own, other)
            self._errors = (max(before[0], own), max(before[1], other))
            if _farther(tolerance, own, other):
                self._note_farther(workload, want.path, own, other)

    def _note_farther(self, workload: str, path: str, own: float, other: float) -> None:
        text = f"{workload}: {path} is off from float64 by {other:.3g} of its row's scale, the original by {own:.3g}"
        self._differences.append({"code": "less_accurate", "text": text})

    def result(self) -> dict[str, Any]:
        original, candidate = self._errors or (None, None)
        return {
            "kind": "bit-exact" if self._exact else "rounding-only",
            "oracle": self._oracle,
            "original_error": original,
            "candidate_error": candidate,
            "max_difference": self._largest,
            "not_judged": sorted(self._not_judged),
            "differences": self._differences,
        }


def _farther(tolerance: Any, own: float, other: float) -> bool:
    """Whether the candidate is too far from the truth, as far as the original's error is a yardstick."""
    return tolerance is not None and own <= tolerance.relative and not other <= judge.WORSE * own + tolerance.absolute
