"""A case, and the contract that says which cases there are.

Copied unchanged into every harness. A case binds each axis of workloads.json and adds a seed, a profile of values, a
layout and what else is out of the ordinary; everything else follows from the contract in that file.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

DEFAULTS: dict[str, Any] = {
    "seed": 0,
    "values": "normal",
    "layout": "contiguous",
    "pokes": (),
    "dtypes": {},
    "around": 0xA5,
    "anew": "",
    "twist": "",
    "rolled": {},
    "within": None,
}
"""What a case has beside its axes, each as it is where nothing is said."""


class Case:
    """One call: `Case(T=64, H=32, DT="bfloat16", seed=7)`. Prints as what would build it again.

    `values` is a profile of contents.py; `pokes` put single special values over it: `[("x", 5, "nan")]`. `layout` is
    one of layouts.py for every argument whose contract admits it, or for those named behind it: `"strided x out"`.
    `dtypes` gives tensors another dtype than the contract's, with the contents that they have in the contract's.
    `around` is the byte that fills the red zones; `anew` names an argument whose contents differ from those that the
    seed gives; `twist` bends one argument so that the launcher should refuse it: `"shorter x 1"`. `within` makes it the
    leading part of a larger case: `Case(T=5, H=32, within={"T": 9})` holds the first 5 of 9 rows; `rolled` moves the
    rows along an axis on, the last ones to the front: `rolled={"T": 2}`.
    """

    seed: int
    values: str
    layout: str
    pokes: tuple[tuple[str, int, str], ...]
    dtypes: dict[str, str]
    around: int
    anew: str
    twist: str
    rolled: dict[str, int]
    within: dict[str, int] | None

    def __init__(self, **given: Any) -> None:
        for name, default in DEFAULTS.items():
            setattr(self, name, given.pop(name, default))
        self.axes: dict[str, Any] = given

    def __repr__(self) -> str:
        own = {name: getattr(self, name) for name in DEFAULTS}
        extra = {name: value for name, value in own.items() if value and value != DEFAULTS[name]}
        return f"Case({', '.join(f'{name}={value!r}' for name, value in {**self.axes, **extra}.items())})"

    @property
    def overflows(self) -> bool:
        """Whether its numbers are at the end of their type's range."""
        return self.values in ("largest", "square") or any(poked[2] in ("largest", "square") for poked in self.pokes)

    def to_json(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in DEFAULTS}, **self.axes}

    def but(self, **changes: Any) -> Case:
        """The same case with some of its axes or other fields changed."""
        return Case(**{**self.to_json(), **changes})


@dataclass(frozen=True)
class Contract:
    """workloads.json as read: see its `axes`, `arguments`, `constraints` and `workloads`."""

    axes: dict[str, dict[str, Any]]
    arguments: list[dict[str, Any]]
    constraints: list[str]
    traffic: str
    flops: str
    workloads: list[dict[str, Any]]

    @staticmethod
    def read(folder: Path) -> Contract:
        data = json.loads((folder / "workloads.json").read_text())
        axes = {axis["name"]: axis for axis in data["axes"]}
        return Contract(axes, data["arguments"], data["constraints"], data["traffic"], data["flops"], data["workloads"])

    def admits(self, case: Case) -> bool:
        """Whether the case keeps the launcher's constraints; one that would divide by a size of 0 does not hold."""
        try:
            return all(evaluate(constraint, case.axes) for constraint in self.constraints)
        except ZeroDivisionError:
            return False

    def cases(self) -> Iterator[tuple[dict[str, Any], Case]]:
        """Each workload with its case, seeded by its name so that no two share their data."""
        for workload in self.workloads:
            yield workload, Case(seed=zlib.crc32(workload["name"].encode()), **workload["axes"])


def evaluate(expression: str, axes: dict[str, Any]) -> Any:
    """The value of a contract's expression. Contracts are written by the harness's author, not by a candidate."""
    names = {
        "min": min,
        "max": max,
        "cdiv": lambda a, b: -(-a // b),
        "next_power_of_2": _next_power_of_2,
        "sqrt": math.sqrt,
        "itemsize": lambda dtype: getattr(torch, dtype).itemsize,
    }
    return eval(expression, {"__builtins__": {}}, {**names, **axes})  # noqa: S307 - see the docstring


def _next_power_of_2(n: int) -> int:
    return 1 << max(0, int(n) - 1).bit_length()
