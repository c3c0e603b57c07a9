"""The launches of the shipped code and of a winner, held side by side: do they differ in launch parameters only?"""

from __future__ import annotations

import ast
import json
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmaint import wire
from kmaint.child import clean_environment
from kmaint.folder import KERNEL, split_regions
from kmaint.forking.stem import run_with_torch
from kmaint.records.workload import Binding
from reintegrate.kinds.win import Declined, Win

WORKER = Path(__file__).with_name("launches_worker.py")
LIMIT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One launch of a kernel: what it was given, by the kernel's own names, launch options among them."""

    kernel: str
    arguments: dict[str, Any]
    grid: tuple[int, ...]

    def facts(self) -> dict[str, Binding]:
        """Scalars as they are; of a tensor `x` its sizes as `x_0`, `x_1` and its dtype as `x_dtype`."""
        found: dict[str, Binding] = {}
        for name, value in self.arguments.items():
            if isinstance(value, dict):
                found |= {f"{name}_{index}": size for index, size in enumerate(value["shape"])}
                found[f"{name}_dtype"] = value["dtype"]
            elif value is not None:
                found[name] = value
        return found


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The one launch of a workload, as shipped and as the winner makes it."""

    shipped: Launch
    winner: Launch


def paired(win: Win, governed: Collection[str], follows: Collection[str]) -> dict[str, Pair] | Declined:
    """By workload, the launches of both, once it is certain that they differ in nothing but what is `governed`.

    `follows` may differ with it: what the launcher works out from the parameters. Both are called on tensors without
    memory, with recorders in the place of the kernels.
    """
    if changed := _changed_kernels(win):
        return Declined(f"it changes {', '.join(changed)} itself, not only how it is launched")
    both = _recorded(win)
    if isinstance(both, Declined):
        return both
    found: dict[str, Pair] = {}
    for name, (shipped, winner) in both.items():
        if len(shipped) != 1 or len(winner) != 1:
            return Declined(f"workload {name} launches {len(shipped)} kernels, the winner {len(winner)}")
        one, other = shipped[0], winner[0]
        if one.kernel != other.kernel:
            return Declined(f"on {name} it launches {other.kernel} instead of {one.kernel}")
        names = {
            key for key in {*one.arguments, *other.arguments} if one.arguments.get(key) != other.arguments.get(key)
        }
        if beyond := sorted(names - set(governed) - set(follows)):
            return Declined(f"on {name} it gives the kernel another {beyond[0]}, which no table holds")
        found[name] = Pair(shipped=one, winner=other)
    return found


def _changed_kernels(win: Win) -> list[str]:
    """Regions that define compiled code and are not what they were."""
    before, after = split_regions((win.harness.folder / KERNEL).read_text()), split_regions(win.source)
    return [
        key[1] for key, text in before.items() if after.get(key) != text and _compiled(text + (after.get(key) or ""))
    ]


def _compiled(source: str) -> bool:
    return any(
        "jit" in ast.unparse(decorator)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
    )


def _recorded(win: Win) -> dict[str, tuple[list[Launch], list[Launch]]] | Declined:
    if win.python is None:
        return Declined("no interpreter was given to see its launches with")
    with tempfile.TemporaryDirectory(prefix="kmaint-launches-") as scratch:
        winner = Path(scratch) / "winner.py"
        winner.write_text(win.source)
        folder = win.harness.folder
        words: list[str | Path] = [win.python, WORKER, folder, win.harness.entry, folder / KERNEL, winner]
        ended = run_with_torch(words, timeout_s=LIMIT_S, env=clean_environment())
    if ended.code:
        said = next(iter(ended.stderr.strip().splitlines()[-1:]), "it ran too long")
        return Declined(f"its launches could not be recorded: {said}")
    before, after = (
        {name: [wire.load(Launch, one) for one in launches] for name, launches in found.items()}
        for found in json.loads(ended.stdout.splitlines()[-1])
    )
    return {name: (before[name], after[name]) for name in before}
