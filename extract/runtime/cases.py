"""A case, and the contract that says which cases there are.

Copied unchanged into every harness. A case binds each axis of workloads.json and adds a seed, a profile of values and a
layout; everything else follows from the contract in that file.
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


class Case:
    """One call: `Case(T=64, H=32, DT="bfloat16", seed=7)`. Prints as what would build it again.

    `within` makes it the leading part of a larger one: `Case(T=5, H=32, within={"T": 9})` holds the first 5 of 9 rows.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        values: str = "normal",
        layout: str = "contiguous",
        within: dict[str, int] | None = None,
        **axes: Any,
    ) -> None:
        self.axes, self.seed, self.values, self.layout, self.within = axes, seed, values, layout, within

    def __repr__(self) -> str:
        defaults = {"seed": 0, "values": "normal", "layout": "contiguous", "within": None}
        extra = {name: getattr(self, name) for name in defaults if getattr(self, name) != defaults[name]}
        return f"Case({', '.join(f'{name}={value!r}' for name, value in {**self.axes, **extra}.items())})"

    def to_json(self) -> dict[str, Any]:
        own = {"seed": self.seed, "values": self.values, "layout": self.layout, "within": self.within}
        return {**own, **self.axes}

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
        """Whether the case keeps the launcher's constraints."""
        return all(evaluate(constraint, case.axes) for constraint in self.constraints)

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
