"""Populations that do not meet for long: each goes on from its elites and crosses them; migration is late and rare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from kmaint.agent.lineage import descent, root
from kmaint.agent.proposal import Parent
from kmaint.agent.strategies.turn import Strategy, Turn, by_ratio, drawn
from kmaint.records.evaluation import Evaluation

POPULATIONS, ELITES = 3, 2
CROSSING = 3
"""Every so many verdicts of an island, two of its elites are crossed."""

MIGRATION_FROM, MIGRATION = 8, 4
"""An island takes nothing from another before it has had so many verdicts, and then every so many: early migration
makes all islands one, and populations a detour."""

SECOND = 4
"""One turn in so many goes to the second elite."""


def choose(history: Sequence[Evaluation], parents: Sequence[Parent]) -> list[Turn]:
    """The island that has had fewest verdicts; an empty one is opened with an edit of the original."""
    home = _homes(history)
    spent = Counter(home[one.candidate.id] for one in history)
    order = sorted(range(POPULATIONS), key=lambda island: (spent[island], island))
    elites = {island: _elites(island, home, parents) for island in range(POPULATIONS)}
    original = next(parent for parent in parents if parent.id is None)
    turns = [*_crossing(order[0], spent[order[0]], elites, history), *_own(elites[order[0]], history)]
    others = [Turn(parent=parent) for island in order[1:] for parent in elites[island]]
    return [*turns, Turn(parent=original), *others]


def _homes(history: Sequence[Evaluation]) -> dict[str, int]:
    """Each candidate's island: that of the edit of the original that it descends from; those take turns."""
    roots = [one.candidate.id for one in history if one.candidate.parent is None]
    of_root = {name: number % POPULATIONS for number, name in enumerate(roots)}
    return {one.candidate.id: of_root[root(one.candidate.id, history) or ""] for one in history}


def _elites(island: int, home: Mapping[str, int], parents: Sequence[Parent]) -> list[Parent]:
    return by_ratio([one for one in parents if one.id is not None and home[one.id] == island])[:ELITES]


def _own(elites: Sequence[Parent], history: Sequence[Evaluation]) -> list[Turn]:
    """The island's elites, the second now and then first."""
    swapped = len(elites) > 1 and drawn(history, SECOND) == 0
    return [Turn(parent=parent) for parent in (reversed(elites) if swapped else elites)]


def _crossing(
    island: int, spent: int, elites: Mapping[int, Sequence[Parent]], history: Sequence[Evaluation]
) -> list[Turn]:
    """The best elite with the second, or with the best of the next island where migration is due."""
    if not elites[island]:
        return []
    partners: list[Parent] = []
    if spent >= MIGRATION_FROM and spent % MIGRATION == 0:
        partners = [
            elites[(island + step) % POPULATIONS][0] for step in (1, 2) if elites[(island + step) % POPULATIONS]
        ]
    elif spent % CROSSING == CROSSING - 1:
        partners = list(elites[island][1:])
    best = elites[island][0]
    own = {candidate.id for candidate in descent(best.id, history)}
    return [Turn(parent=best, partner=partner) for partner in partners if partner.id not in own]


ISLANDS = Strategy(name="islands", says=f"{POPULATIONS} populations with elites and crossover", choose=choose)
