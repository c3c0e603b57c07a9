"""A kernel that is known only by what was recorded of it: the world that benchmarks/replay lets the chain search.

What was not recorded cannot be proposed, and a verdict is looked up. Sources are stand-ins.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from kmaint import wire
from kmaint.agent.builtin import WORTH
from kmaint.agent.crossing import AND
from kmaint.agent.kinds import kind_of
from kmaint.agent.lineage import descent
from kmaint.agent.memory import weights
from kmaint.agent.proposal import Parent, Proposal, Request
from kmaint.records.evaluation import (
    Candidate,
    Environment,
    Evaluation,
    NotBuilt,
    Numerics,
    Passed,
    Plan,
    Profile,
    Resources,
    Verdict,
    Wrong,
)
from kmaint.records.run import Run
from kmaint.records.timing import Interval, Timing

Knowledge = Literal["chance", "screening"]

ENVIRONMENT = Environment(
    device=None,
    device_uuid=None,
    arch="sm_90",
    driver=None,
    python="",
    torch="",
    triton="",
    cuda=None,
    platform="",
    multiprocessors=None,
    l2_bytes=None,
    memory_bandwidth_gbps=None,
)
EXACT = Numerics(kind="bit-exact", oracle=False, original_error=None, candidate_error=None, max_difference=0.0)


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An edit that was recorded: the source it leads to, by which transform, in which words."""

    child: str
    edit: str
    note: str


@dataclass(frozen=True, kw_only=True)
class World:
    """All that was recorded of one kernel, by source; `ratios` holds what passed, the original at 1."""

    kernel: str
    root: str
    baseline: Profile
    verdicts: Mapping[str, Verdict]
    ratios: Mapping[str, float]
    edges: Mapping[str, Sequence[Edge]]
    most: tuple[int, int, int] = (0, 0, 0)
    parents: tuple[int, int] = (0, 0)
    """How much was recorded, as benchmarks/landscape.py was asked for it; zeros of a run."""

    @property
    def best(self) -> float:
        """The fastest there is."""
        return max(self.ratios.values())

    def judge(self, candidate: Candidate) -> Evaluation:
        """The gate's part."""
        verdict = self.verdicts[candidate.source]
        return Evaluation(candidate=candidate, verdict=verdict, rungs=(), environment=ENVIRONMENT)


def read_world(file: Path) -> World:
    """A kernel as benchmarks/landscape.py recorded it: rough times, or estimates that play their part here alone."""
    content = json.loads(file.read_text())
    names = [f"{content['kernel']} {number}" for number in range(len(content["nodes"]))]
    edges: defaultdict[str, list[Edge]] = defaultdict(list)
    for parent, child, edit, note in content["edges"]:
        edges[names[parent]].append(Edge(child=names[child], edit=edit, note=note))
    rows = dict(zip(names, content["nodes"], strict=True))
    return World(
        kernel=content["kernel"],
        root=names[0],
        baseline=_profile(content["nodes"][0]),
        verdicts={name: _verdict(row) for name, row in rows.items()},
        ratios={name: row["ratio"] for name, row in rows.items() if row["ratio"] is not None},
        edges=edges,
        most=tuple(content["most"]),
        parents=tuple(content["parents"]),
    )


def _verdict(row: dict[str, Any]) -> Verdict:
    if row["ratio"] is None and row.get("built"):
        return Wrong(reason=row["reason"], codes=("mismatch",))
    if row["ratio"] is None:
        return NotBuilt(reason=row["reason"], codes=("compile_error",))
    speedup = Interval(ratio=row["ratio"], low=row["ratio"], high=row["ratio"])
    timing = Timing(workloads=(), speedup=speedup, noise_floor=WORTH - 1)
    return Passed(numerics=EXACT, profile=_profile(row), timing=timing, win=row["ratio"] >= WORTH)


def _profile(row: dict[str, Any]) -> Profile:
    facts = {name: row[name] for name in ("registers", "shared_bytes", "spill_bytes", "load_bits", "num_warps")}
    resources = Resources(kernel="", arch="sm_90", store_bits=0, instructions=0, num_stages=0, workload="", **facts)
    return Profile(
        bottleneck=row["bottleneck"],
        estimated=row.get("estimated", True),
        resources=(resources,),
        roofline_fraction=row["roofline_fraction"],
        next_step="",
    )


def of_run(run: Run) -> World:
    """A kernel as a run on a GPU left it: every candidate that was judged, with its verdict as it stands."""
    root = f"{run.kernel} as shipped"
    assert run.baseline is not None  # every run keeps it
    source: dict[str | None, str] = {one.candidate.id: one.candidate.source for one in run.evaluations}
    source[None] = root
    edges: defaultdict[str, list[Edge]] = defaultdict(list)
    for one in run.evaluations:
        plan = one.candidate.plan
        edges[source[one.candidate.parent]].append(Edge(child=one.candidate.source, edit=plan.edit, note=plan.why))
    timed = {
        one.candidate.source: one.verdict.timing.speedup.low
        for one in run.evaluations
        if isinstance(one.verdict, Passed) and one.verdict.timing
    }
    verdicts = {one.candidate.source: one.verdict for one in run.evaluations}
    return World(
        kernel=run.kernel,
        root=root,
        baseline=run.baseline,
        verdicts=verdicts,
        ratios={root: 1.0, **timed},
        edges=edges,
    )


def screening_errors(runs: Sequence[Run]) -> Iterator[float]:
    """By how much, as logarithms, the screenings of runs on a GPU were off the gate's own ratios."""
    for run in runs:
        for one in run.evaluations:
            if isinstance(one.verdict, Passed) and one.verdict.timing and one.candidate.plan.expected:
                yield math.log(one.candidate.plan.expected / one.verdict.timing.speedup.ratio)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The provider: proposes recorded edits that are allowed and not judged yet.

    By chance, it knows nothing but the lessons it is given: what won first, traps last, else in an order that only the
    seed decides. By screening, it proposes what screens best, if that is worth a gate, as the builtin provider does.
    """

    name: ClassVar[str] = "recorded"
    repairs: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    world: World
    knowledge: Knowledge
    seed: int
    asked: list[str] = field(default_factory=list)
    """Sources of the parents of all turns on which it had something."""

    def propose(self, request: Request) -> Proposal | None:
        edges = self._open(request)
        edge = self._by_screening(request, edges) if self.knowledge == "screening" else self._by_chance(request, edges)
        if edge is None:
            return None
        self.asked.append(request.parent.source)
        return Proposal(
            plan=Plan(bottleneck="unknown", edit=edge.edit, why=f"{edge.note}: to {edge.child}"), source=edge.child
        )

    def _open(self, request: Request) -> list[Edge]:
        known = {one.candidate.source for one in request.history} | {one.source for one in request.besides}
        lacked = self._lacked(request.parent, request.partner, request)
        return [
            edge
            for edge in self.world.edges.get(request.parent.source, ())
            if edge.child not in known
            and (request.kinds is None or kind_of(edge.edit) in request.kinds)
            and (lacked is None or edge.edit in lacked)
        ]

    def _lacked(self, parent: Parent, partner: Parent | None, request: Request) -> set[str] | None:
        """The transforms that a partner has and the parent lacks; None where there is no partner."""
        if partner is None:
            return None
        own, other = (
            {name for one in descent(who.id, request.history) for name in one.plan.edit.split(AND)}
            for who in (parent, partner)
        )
        return other - own

    def _by_screening(self, request: Request, edges: Sequence[Edge]) -> Edge | None:
        parent, *ranks = [
            rank.ratio or 0.0 for rank in request.screen([request.parent.source, *(e.child for e in edges)])
        ]
        best = max(zip(ranks, edges, strict=True), key=lambda pair: pair[0], default=None)
        return best[1] if best and best[0] >= WORTH * parent else None

    def _by_chance(self, request: Request, edges: Sequence[Edge]) -> Edge | None:
        """A transform that this parent has had less often goes first: a provider that knows nothing still varies."""
        says = weights(request.lessons)
        won = [lesson.why for lesson in request.lessons if lesson.outcome == "win"]
        had = Counter(one.candidate.plan.edit for one in request.history if one.candidate.parent == request.parent.id)
        had += Counter(one.plan.edit for one in request.besides)

        def place(edge: Edge) -> tuple[int, float, bool, str]:
            warm = any(why.startswith(f"{edge.note}: ") for why in won)
            chance = wire.digest([self.seed, request.parent.source, edge.child])
            return had[edge.edit], -says.get(edge.edit, 0.0), not warm, chance

        return min(edges, key=place, default=None)
