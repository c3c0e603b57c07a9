"""What PyTorch has to know of a launcher before it can be an operator, found by running it and by asking torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmaint.child import clean_environment
from kmaint.forking.stem import run_with_torch
from reintegrate.companions.inputs import small_cases
from reintegrate.kinds.win import Declined, Win

WORKER = Path(__file__).with_name("operator_worker.py")
LIMIT_S = 300.0
WRITABLE = ("output", "scratch")
"""What a contract calls an argument that is there to be written."""


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A launcher as torch sees it: `writes` are arguments in the order of its parameters.

    `like` is the argument whose size, type and strides its result has; empty where it gives nothing back.
    """

    schema: str
    writes: tuple[str, ...]
    like: str
    told: str
    """By whom, in a line."""


def operator_of(win: Win) -> Operator | Declined:
    """The launcher as an operator. Declined where torch makes no schema of it, or no fake of its result can be told.

    What it writes is what the contract gives it to be written, and what small cases saw it write: an argument that is
    written and not said to be is one whose old value torch.compile may still use.
    """
    contract = win.harness.contract
    if win.python is None:
        return Declined("torch has to infer the operator's schema, and no interpreter was given")
    asked = {
        "entry": win.harness.entry,
        "writes": [one.name for one in contract.arguments if one.values in WRITABLE],
        "cases": small_cases(win.harness),
    }
    if not asked["cases"]:
        return Declined("no case is small enough to see under the interpreter what its launcher writes")
    ended = run_with_torch(
        [win.python, WORKER, win.harness.folder.resolve()],
        timeout_s=LIMIT_S,
        env=clean_environment({"TRITON_INTERPRET": "1"}),
        stdin=json.dumps(asked),
    )
    said = next(iter(ended.stderr.strip().splitlines()[-1:]), "it ran too long")
    told = {"error": said} if ended.code else json.loads(ended.stdout.splitlines()[-1])
    if "error" in told:
        return Declined(f"torch takes {win.harness.entry} for no operator: {told['error']}")
    return _understood(win, told, len(small_cases(win.harness)))


def _understood(win: Win, told: Mapping[str, Any], cases: int) -> Operator | Declined:
    entry, gives, arguments = win.harness.entry, told["gives"], win.harness.contract.arguments
    writes = tuple(one.name for one in arguments if one.name in told["writes"])
    # One that may be None is no pattern for what is always there.
    like = [one.name for one in arguments if one.name in told["like"] and one.when == "True"]
    if gives not in (["None"], ["a tensor"]):
        return Declined(f"{entry} gives back {' or '.join(gives)}, of which kmaint writes no fake")
    if gives == ["None"] and not writes:
        return Declined(f"{entry} gives nothing back and was not seen to write anything")
    if gives != ["None"] and not like:
        return Declined(f"what {entry} gives back is like no argument of it, so no fake of it can be told")
    return Operator(
        schema=told["schema"],
        writes=writes,
        like="" if gives == ["None"] else like[0],
        told=f"torch {told['torch']} infers {told['schema']}; on {cases} small cases nothing else was written",
    )
