"""The harness's own runtime, found through PYTHONPATH, and what every command does with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from runtime import building, cases, contents, judge, outcomes, performing, subject  # type: ignore[import-not-found]

try:
    from runtime import truth as conditioning
except ImportError:  # of an older harness, whose judge asks for no draws
    conditioning = None

__all__ = [
    "Cases",
    "building",
    "cases",
    "conditioning",
    "contents",
    "entry_of",
    "interpreter_sized",
    "judge",
    "leading_axes",
    "outcomes",
    "performing",
    "subject",
    "truth_of",
    "with_axis",
]

Cases = list[tuple[dict[str, Any], Any]]
INTERPRETED_ROWS = 4
"""The interpreter takes 1 to 2 ms for each program: a workload keeps this many rows of it."""
INTERPRETED_ELEMENTS = 1 << 20


def entry_of(path: str, name: str, entry: str) -> Callable[..., Any]:
    """The entry point of the file, imported under a module name of its own."""
    found: Callable[..., Any] = getattr(subject.load(Path(path), name), entry)
    return found


def truth_of(reference: Callable[..., Any], arguments: dict[str, Any], draw: int = 0) -> dict[str, torch.Tensor]:
    """What the harness's reference() gives for a call's arguments in float64, by output, on the CPU; with a draw, once
    they are moved by it."""
    wide = {
        name: value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for name, value in arguments.items()
    }
    wide = conditioning.moved(wide, draw) if draw else wide
    return {path: value.double().cpu() for path, value in reference(**wide).items()}


def elements(contract: Any, case: Any) -> int:
    """How many elements the tensor arguments of a case hold together."""
    return sum(
        math.prod(int(cases.evaluate(size, case.axes)) for size in spec["shape"])
        for spec in contract.arguments
        if spec["kind"] == "tensor" and cases.evaluate(spec["when"], case.axes)
    )


def interpreter_sized(contract: Any, case: Any) -> Any:
    """The same case with fewer rows, and then less of every other free axis, until the interpreter can run it.

    Axes with fixed choices, and those that the constraints hold in place, stay as they are.
    """
    free = [name for name, axis in contract.axes.items() if not axis["choices"]]
    leading = leading_axes(contract)
    for name in (name for name in free if name in leading):
        case = with_axis(contract, case, name, min(case.axes[name], INTERPRETED_ROWS))
    for name in sorted((name for name in free if name not in leading), key=lambda name: -case.axes[name]):
        while elements(contract, case) > INTERPRETED_ELEMENTS:
            smaller = with_axis(contract, case, name, case.axes[name] // 2)
            if smaller is case or smaller.axes[name] < 1:
                break
            case = smaller
    return case


def leading_axes(contract: Any) -> set[str]:
    """The axes along which rows stand: the first of each tensor that has several, or else of those that have one."""
    shapes = [spec["shape"] for spec in contract.arguments if spec["kind"] == "tensor" and spec["shape"]]
    return {shape[0] for shape in shapes if len(shape) > 1} or {shape[0] for shape in shapes}


def with_axis(contract: Any, case: Any, axis: str, size: int) -> Any:
    """The case with an axis of that size, or the case itself where the contract does not let it be so."""
    axes = {**case.axes, axis: max(1, size)}
    changed = cases.Case(seed=case.seed, values=case.values, layout=case.layout, **axes)
    return changed if axes != case.axes and contract.admits(changed) else case


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
