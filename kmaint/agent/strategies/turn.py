"""The protocol of all strategies: where to look next is a function of the history, so a killed run goes on alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kmaint import wire
from kmaint.agent.kinds import Kind
from kmaint.agent.proposal import Parent
from kmaint.records.evaluation import Evaluation


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What to ask a provider for: an edit of the parent, or, with a partner, what that one has put onto the parent.

    `kinds` are those that the edit may be of; None leaves it to the provider.
    """

    parent: Parent
    partner: Parent | None = None
    kinds: frozenset[Kind] | None = None


Choose = Callable[[Sequence[Evaluation], Sequence[Parent]], list[Turn]]
"""`choose(history, parents)`: turns, most promising first. The parents are the original, then candidates that passed
and have a ratio, in the order they were judged; the history holds those that are not to be gone on from as well."""

Counts = Callable[[Sequence[Parent]], list[Parent]]
"""`counts(parents)`: those whose profile is to have hardware counters before turns are chosen."""


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A way to search. The chain takes the first of the turns for which the provider has a proposal.

    Where `ideas` is more than 1, so many are asked for on every turn, and the one that screens best goes to the gate.
    """

    name: str
    says: str
    """What it does, in a few words."""
    choose: Choose
    ideas: int = 1
    counts: Counts = lambda _parents: []


def by_ratio(parents: Sequence[Parent]) -> list[Parent]:
    """Fastest first; of equals, the one that was judged first."""
    return sorted(parents, key=lambda parent: -parent.ratio)


def drawn(history: Sequence[Evaluation], among: int) -> int:
    """A number below `among` that only the history decides: the chance of a search that has to repeat itself."""
    return int(wire.digest([one.candidate.id for one in history]), 16) % among
