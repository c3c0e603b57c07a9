"""Ranks many variants cheaply for the search. A rank is never a verdict: the gate has not seen them."""

from __future__ import annotations

import math
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kmaint.evaluate.bench import Answer, Bench, Done, Failed, Lost, Request, Walls, ask, behind_walls, lay, walls_for
from kmaint.evaluate.rungs import facts
from kmaint.evaluate.rungs.facts import Built
from kmaint.evaluate.rungs.profile import estimate_total_us
from kmaint.evaluate.workers.turns import taken_at
from kmaint.records.evaluation import Rejection
from kmaint.records.harness import Harness

TOGETHER = 16
"""Variants that are timed in one turn on the GPU."""


@dataclass(frozen=True, kw_only=True)
class Screened:
    """A rough ratio, original over variant; None where it failed, with the reason. `estimated` without a GPU."""

    ratio: float | None
    estimated: bool
    reason: str = ""


def screen(harness: Harness, sources: Sequence[str], bench: Bench) -> list[Screened]:
    """One result for each source, in order; a variant that crashes or hangs costs the others nothing."""
    if not sources:
        return []
    with tempfile.TemporaryDirectory(prefix="kmaint-screen-") as name:
        scratch = Path(name)
        files = [scratch / f"variant_{n}.py" for n in range(len(sources))]
        for file, source in zip(files, sources, strict=True):
            lay(harness, source, file)
        bench.progress(f"screening {len(files)} variants")
        return (
            _on_gpu(harness, files, bench, scratch)
            if bench.device == "cuda"
            else _static(harness, files, bench, scratch)
        )


def _on_gpu(harness: Harness, files: Sequence[Path], bench: Bench, scratch: Path) -> list[Screened]:
    # Compiled first, without the GPU and into the cache that the timed process reads: it then holds the device briefly.
    facts.compile_all(harness, files, bench, scratch)
    return timed(harness, files, bench, scratch)


def timed(
    harness: Harness, files: Sequence[Path], bench: Bench, scratch: Path, *, clock: Literal["graph", "wall"] = "graph"
) -> list[Screened]:
    """A result for each file, several in one turn on the GPU; the clock "wall" is a dry run through the same path."""
    groups = [files[n : n + TOGETHER] for n in range(0, len(files), TOGETHER)]
    found: list[Screened] = []
    for group, answer in zip(groups, _asked(harness, groups, bench, scratch, clock), strict=True):
        if isinstance(answer, Done) or len(group) == 1:
            found += _screened(answer)
        else:  # one of them took the process with it, and which is not known
            alone = _asked(harness, [[file] for file in group], bench, scratch, clock)
            found += [one for each in alone for one in _screened(each)]
    return found


def _asked(harness: Harness, groups: Sequence[Sequence[Path]], bench: Bench, scratch: Path, clock: str) -> list[Answer]:
    folder = harness.folder.resolve()
    shared = {"folder": str(folder), "entry": harness.entry, "seed": secrets.randbits(30), "clock": clock}

    def asked(walls: Walls) -> list[Answer]:
        request = Request(
            command="screen",
            shared={**shared, "scratch": str(scratch), "walls": walls},
            items=tuple({"paths": [str(file) for file in group]} for group in groups),
            limit_s=bench.limits_s["screen"] * max(map(len, groups)),
            harness=folder,
            gpu=clock == "graph",
            interpret=clock == "wall",
        )
        return ask(bench, request, scratch)

    files, turns = [file for group in groups for file in group], taken_at(bench.turns) if bench.turns else ()
    return behind_walls(bench, asked, walls_for(harness, files, bench, scratch, writes=turns))


def _screened(answer: Answer) -> list[Screened]:
    match answer:
        case Done(value=value):
            return [
                Screened(ratio=one.get("ratio"), estimated=False, reason=one.get("differs", ""))
                for one in value["found"]
            ]
        case Failed(type=kind, text=text):
            return [Screened(ratio=None, estimated=False, reason=f"{kind}: {facts.first_line(text)}")]
        case Lost(text=text):
            return [Screened(ratio=None, estimated=False, reason=text)]


def _static(harness: Harness, files: Sequence[Path], bench: Bench, scratch: Path) -> list[Screened]:
    original = facts.original_built(harness, bench, scratch)
    before = estimate_total_us(original.launches, harness.contract, bench.environment)
    # Compiling is all that an estimate costs: the workloads that move least and most speak for those between.
    moved = sorted(before, key=lambda name: before[name])
    built = facts.compile_all(harness, files, bench, scratch, only=(moved[0], moved[-1]) if moved else ())
    return [estimate(harness, bench, before, one) for one in built]


def estimate(harness: Harness, bench: Bench, before: dict[str, float], built: Built | Rejection) -> Screened:
    """The ratio by the compiler's facts; `before` is what the original takes, by workload."""
    if not isinstance(built, Built):
        return Screened(ratio=None, estimated=True, reason=built.reason)
    after = estimate_total_us(built.launches, harness.contract, bench.environment)
    shared = [w for w in harness.contract.workloads if w.name in before and w.name in after]
    total = sum(workload.weight for workload in shared)
    if not total:
        return Screened(ratio=None, estimated=True, reason="launches no kernel")
    logs = sum(workload.weight * math.log(before[workload.name] / after[workload.name]) for workload in shared)
    return Screened(ratio=math.exp(logs / total), estimated=True)
