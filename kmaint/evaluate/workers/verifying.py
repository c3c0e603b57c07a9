"""Whether timed calls did what the original does: reached where the candidate was never imported, from raw bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from .calls import building, cases, entry_of, judge, outcomes, subject, truth_of
from .replay import nth


def prepare(shared: dict[str, Any]) -> dict[str, Any]:
    """`shared`: folder, entry, device ("cuda" or "cpu"), oracle; turns."""
    folder = Path(shared["folder"])
    contract = cases.Contract.read(folder)
    entry = entry_of(str(folder / "kernel.py"), "original", shared["entry"])
    reference = entry_of(str(folder / "reference.py"), "reference", "reference") if shared["oracle"] else None
    original = subject.Local(entry, contract, shared["device"])
    return {**shared, "contract": contract, "original": original, "reference": reference}


def handle(state: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """`item`: workload, the seed that its data was made from, and the path of what was left behind.

    How many calls were compared, and the code and text of the first difference, empty where there is none.
    """
    contract = state["contract"]
    found = next(case for workload, case in contract.cases() if workload["name"] == item["workload"])
    case = cases.Case(**found.axes)
    # weights_only: what a candidate's process wrote holds tensors and plain values, and can run no code here.
    left = torch.load(item["path"], weights_only=True)
    for n, answer in zip(left["calls"], left["outcomes"], strict=True):
        actual = outcomes.Outcome([outcomes.Leaf(**leaf) for leaf in answer["leaves"]], answer["error"])
        with state["turns"].shared():  # a turn each: whoever waits to have the GPU alone waits for one of them
            differences = _differences(state, nth(case, item["seed"], n), actual)
        for difference in differences:
            return {
                "compared": len(left["calls"]),
                "code": difference.code,
                "text": f"timed call {n}: {difference.text}",
            }
    return {"compared": len(left["calls"]), "code": "", "text": ""}


def _differences(state: dict[str, Any], case: Any, actual: Any) -> list[Any]:
    """How a call on the case differs from the original's, where the truth does not stand in for that."""

    def truth(draw: int = 0) -> dict[str, torch.Tensor]:
        return truth_of(state["reference"], building.build(state["contract"], case, state["device"]).arguments, draw)

    expected, on_cpu = _shown(state["original"](case), actual), state["device"] == "cpu"
    told: list[Any] = judge.differences(
        expected, actual, interpreted=on_cpu, truth=truth if state["reference"] else None
    )
    return told


def _shown(expected: Any, actual: Any) -> Any:
    """What is expected, without the arguments that stay as they are and of which no copy was sent: they are large."""
    sent = {leaf.path for leaf in actual.leaves}
    kept = [leaf for leaf in expected.leaves if leaf.path in sent or leaf.written or leaf.path.startswith("return")]
    return outcomes.Outcome(kept, expected.error, expected.overrun)
