"""Clusters of candidates that behave alike by kinds of edit: what gained is done again, on a cluster's best only."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from kmaint.agent.kinds import ADDRESSES, KINDS, Kind, kind_of, ruled_out
from kmaint.agent.proposal import Parent
from kmaint.agent.strategies.turn import Strategy, Turn, by_ratio
from kmaint.records.evaluation import Evaluation, Profile

CURIOSITY = 0.2
"""With the 2.0 that is usual, twenty pulls of eighteen arms are a round-robin."""

LIKELY, UNLIKELY = 0.2, 0.02
"""What an arm is thought to gain before it was pulled, as a logarithm: for a kind that the bottleneck speaks for, and
for another. It counts as one pull."""

Behaviour = tuple[str, int, int, int]


def behaviour(profile: Profile) -> Behaviour:
    """What candidates have in common that one edit should do the same to: bottleneck, quarter of the roofline,
    registers by 64, shared memory by 32 KiB.

    The bottleneck without counters, which only some of them have: to be counted puts none into another cluster.
    """
    registers = max((one.registers for one in profile.resources), default=0)
    shared = max((one.shared_bytes for one in profile.resources), default=0)
    bottleneck = profile.uncounted or profile.bottleneck
    return bottleneck, int(4 * min(profile.roofline_fraction or 0.0, 1.0)), registers // 64, shared >> 15


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A kind of edit on a cluster, which stands for its fastest; `gains` are those of each pull, as logarithms."""

    parent: Parent
    kind: Kind
    gains: list[float] = field(default_factory=list)

    def score(self, best: float, pulls: int) -> float:
        """Where the edit is likely to lead, against the best so far, and more the less is known of it."""
        prior = LIKELY if self.kind in ADDRESSES[self.parent.profile.bottleneck] else UNLIKELY
        known = 1 + len(self.gains)
        bonus = CURIOSITY * math.sqrt(math.log(1 + pulls) / known)
        return math.log(self.parent.ratio / best) + (prior + sum(self.gains)) / known + bonus


def representatives(parents: Sequence[Parent]) -> dict[Behaviour, Parent]:
    """The fastest of each cluster, which stands for it and is profiled for it."""
    found: dict[Behaviour, Parent] = {}
    for parent in by_ratio(parents):
        found.setdefault(behaviour(parent.profile), parent)
    return found


def choose(history: Sequence[Evaluation], parents: Sequence[Parent]) -> list[Turn]:
    """Arms by score. Kinds that a cluster's profile rules out are no arms of it."""
    gains = _gains(history, parents)
    arms = [
        Arm(parent=parent, kind=kind, gains=gains[cluster, kind])
        for cluster, parent in representatives(parents).items()
        for kind in KINDS
        if kind not in ruled_out(parent.profile)
    ]
    best = max(parent.ratio for parent in parents)
    ranked = sorted(arms, key=lambda arm: -arm.score(best, len(history)))
    return [Turn(parent=arm.parent, kinds=frozenset({arm.kind})) for arm in ranked]


def _gains(
    history: Sequence[Evaluation], parents: Sequence[Parent]
) -> defaultdict[tuple[Behaviour, Kind], list[float]]:
    """What each arm has led to: a failure and a loss are no gain; repairs and edits of no known kind are nobody's."""
    known = {parent.id: parent for parent in parents}
    found: defaultdict[tuple[Behaviour, Kind], list[float]] = defaultdict(list)
    for one in history:
        parent, child = known.get(one.candidate.parent), known.get(one.candidate.id)
        kind = kind_of(one.candidate.plan.edit)
        if parent is not None and kind is not None:
            gain = math.log(child.ratio / parent.ratio) if child else 0.0
            found[behaviour(parent.profile), kind].append(max(0.0, gain))
    return found


BANDIT = Strategy(
    name="bandit",
    says="kinds of edit by what they gained before",
    choose=choose,
    counts=lambda parents: list(representatives(parents).values()),
)
