"""Ranks many variants cheaply for the search. A rank is never a verdict: the gate has not seen them."""

from __future__ import annotations

import math
import secrets
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kmaint.evaluate.bench import Answer, Bench, Done, Failed, Lost, Request, ask, lay, refer, walls_to_time
from kmaint.evaluate.rungs import facts
from kmaint.evaluate.rungs.facts import Built
from kmaint.evaluate.rungs.profile import estimate_total_us
from kmaint.evaluate.workers.turns import taken_at
from kmaint.intervals import are_times
from kmaint.records.evaluation import Rejection
from kmaint.records.harness import Harness

TOGETHER = 16
"""Variants that are timed in one turn on the GPU."""

LOSING = 0.96
"""A workload below this loses by a rough look, too: the gate lets one lose 2 %, and a look is mostly off by half as
much (the farthest of 243 by 4.1 %: benchmarks/results/2026-12-02-h200-looks.json)."""


@dataclass(frozen=True, kw_only=True)
class Screened:
    """A rough ratio, original over variant; None where it failed, with the reason. `estimated` without a GPU.

    `least` is the ratio of that timed workload which gains least. `seconds` is its share of the turns on the GPU in
    which it was timed, or was to be; absent of an estimate, and of what was not `built`.
    """

    ratio: float | None
    estimated: bool
    reason: str = ""
    least: float | None = None
    seconds: float | None = None
    built: bool = True

    @property
    def standing(self) -> tuple[bool, float]:
        """To be sorted by: what loses on no workload is ahead of what does, since that can be no win as it is."""
        return self.ratio is not None and (self.least is None or self.least >= LOSING), self.ratio or 0.0


@dataclass(frozen=True, kw_only=True)
class Rough:
    """How little is measured: rounds of blocks, and argument sets in rotation at most.

    With `best` it is measured beside others, who can only make a time longer: so many of the least times of each side
    stand, rank by rank. Without, it has the GPU alone, and each round stands as it is.
    The clock "wall" is a dry run on the CPU through the same path.
    """

    rounds: int
    sets: int
    best: int = 0
    clock: Literal["graph", "wall"] = "graph"

    @property
    def ratios(self) -> int:
        """How many there are of each workload."""
        return self.best or self.rounds


RANKS = Rough(rounds=3, sets=256)
"""For a rank among many: as many argument sets as are timed."""


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
            built_and_timed(harness, files, bench, scratch)
            if bench.device == "cuda"
            else _static(harness, files, bench, scratch)
        )


def built_and_timed(
    harness: Harness, files: Sequence[Path], bench: Bench, scratch: Path, rough: Rough = RANKS
) -> list[Screened]:
    """A result for each file. Compiled first, into the cache that the timed process reads: it then has the GPU briefly.

    What does not build would be tried again there, while others wait.
    """
    built = facts.compile_all(harness, files, _briefly(bench), scratch)
    left = {
        file: Screened(ratio=None, estimated=False, reason=one.reason, built=False)
        for file, one in zip(files, built, strict=True)
        if not isinstance(one, Built)
    }
    ready = [file for file in files if file not in left]
    left.update(zip(ready, timed(harness, ready, bench, scratch, rough), strict=True))
    return [left[file] for file in files]


def _briefly(bench: Bench) -> Bench:
    """With no more time to compile a file than a variant is worth."""
    limits_s = bench.limits_s
    return replace(bench, limits_s={**limits_s, "compile": min(limits_s["compile"], limits_s["variant"])})


def timed(harness: Harness, files: Sequence[Path], bench: Bench, scratch: Path, rough: Rough = RANKS) -> list[Screened]:
    """A result for each file, several in one turn on the GPU.

    What was built in a process that ended before it was timed, or found no memory beside the others, is taken alone.
    """

    seconds = dict.fromkeys(files, 0.0)

    def asked(some: Sequence[Path]) -> dict[Path, Screened | None]:
        started = time.monotonic()
        answers = compared(harness, some, bench, scratch, rough)
        each_s = (time.monotonic() - started) / len(some)
        seconds.update({file: seconds[file] + each_s for file in some})
        return {file: _screened(answer, ratios, harness) for file, (answer, ratios) in answers.items()}

    found = {file: one for n in range(0, len(files), TOGETHER) for file, one in asked(files[n : n + TOGETHER]).items()}
    for file in [file for file, one in found.items() if one is None]:
        found[file] = asked([file])[file]
    untimed = Screened(ratio=None, estimated=False, reason="could not be timed")
    return [replace(one or untimed, seconds=seconds[file]) for file, one in found.items()]


Ratios = dict[str, list[float]]
"""Original over variant in each round that stands, by workload: of all that are timed, or of none."""


def compared(
    harness: Harness, files: Sequence[Path], bench: Bench, scratch: Path, rough: Rough
) -> dict[Path, tuple[Answer, Ratios]]:
    """Of each file what came of building and comparing it, and its ratios; none where it was not timed.

    It runs in the process that answers: what is no answer to what was asked is none.
    """
    folder, turns = harness.folder.resolve(), taken_at(bench.turns) if bench.turns else ()
    request = Request(
        command="screen",
        shared={
            "folder": str(folder),
            "entry": harness.entry,
            "seed": secrets.randbits(30),
            "clock": rough.clock,
            "sets": rough.sets,
            "rounds": rough.rounds,
            "best": rough.best,
            "scratch": str(scratch),
            "walls": walls_to_time(harness, files, bench, scratch, writes=turns),
        },
        items=(*refer(files), {"path": ""}),
        limit_s=bench.limits_s["screen"],
        harness=folder,
        gpu=rough.clock == "graph",
        interpret=rough.clock == "wall",
    )
    *built, last = ask(bench, request, scratch)
    given = last.value.get("ratios") if isinstance(last, Done) else None
    ratios = given if isinstance(given, dict) else {}
    return {
        file: (answer, sound(ratios.get(str(file)), harness, rough)) for file, answer in zip(files, built, strict=True)
    }


def sound(given: Any, harness: Harness, rough: Rough) -> Ratios:
    """What a process gives as a file's ratios, where these are as many numbers above 0 as were asked for of each timed
    workload."""
    names = {one.name for one in harness.contract.timed}
    if not isinstance(given, dict) or set(given) != names:
        return {}
    as_asked = all(are_times(ratios) and len(ratios) == rough.ratios for ratios in given.values())
    return given if as_asked else {}


def _screened(answer: Answer, ratios: Ratios, harness: Harness) -> Screened | None:
    match answer:
        case Done(value={"differs": ""}):
            return _ranked(ratios, harness) if ratios else None
        case Done(value=value):
            return Screened(ratio=None, estimated=False, reason=str(value.get("differs", "gives no answer")))
        case Failed(type="OutOfMemoryError"):
            return None
        case Failed(type=kind, text=text):
            return Screened(ratio=None, estimated=False, reason=f"{kind}: {facts.first_line(text)}")
        case Lost(text=text):
            return Screened(ratio=None, estimated=False, reason=text)


def _ranked(ratios: Ratios, harness: Harness) -> Screened:
    medians = {name: statistics.median(seen) for name, seen in ratios.items()}
    return Screened(ratio=_mean(medians, harness), estimated=False, least=min(medians.values()))


def _mean(ratios: dict[str, float], harness: Harness) -> float | None:
    """Weighted and geometric, over these workloads; None where none of them counts."""
    shared = [(one.weight, ratios[one.name]) for one in harness.contract.workloads if one.name in ratios]
    total = sum(weight for weight, _ in shared)
    return math.exp(sum(weight * math.log(ratio) for weight, ratio in shared) / total) if total else None


def _static(harness: Harness, files: Sequence[Path], bench: Bench, scratch: Path) -> list[Screened]:
    original = facts.original_built(harness, bench, scratch)
    before = estimate_total_us(original.launches, harness.contract, bench.environment)
    # Compiling is all that an estimate costs: the workloads that move least and most speak for those between.
    moved = sorted(before, key=lambda name: before[name])
    built = facts.compile_all(harness, files, _briefly(bench), scratch, only=(moved[0], moved[-1]) if moved else ())
    return [estimate(harness, bench, before, one) for one in built]


def estimate(harness: Harness, bench: Bench, before: dict[str, float], built: Built | Rejection) -> Screened:
    """The ratio by the compiler's facts; `before` is what the original takes, by workload."""
    if not isinstance(built, Built):
        return Screened(ratio=None, estimated=True, reason=built.reason, built=False)
    after = estimate_total_us(built.launches, harness.contract, bench.environment)
    ratios = {name: before[name] / us for name, us in after.items() if name in before}
    mean = _mean(ratios, harness)
    return Screened(ratio=mean, estimated=True, reason="" if mean else "launches no kernel")
