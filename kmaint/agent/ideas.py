"""Proposals that wait for a gate: asked for once, and written down so that a resumed run weighs the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kmaint import wire
from kmaint.agent.proposal import Proposal, Request
from kmaint.agent.screening import Note
from kmaint.records.evaluation import Candidate
from kmaint.records.workload import Json

IDEAS = "ideas"
"""The kind of the events that hold them: {digest of the turns: [Idea]}."""


@dataclass(frozen=True, kw_only=True)
class Idea:
    """A proposal, and for which of the turns it was made."""

    turn: int
    proposal: Proposal


@dataclass(frozen=True, kw_only=True)
class Ideas:
    """What was proposed for several turns side by side. `table` is that of the turns asked so far."""

    note: Note
    table: dict[str, list[Idea]] = field(default_factory=dict)

    def best(
        self,
        requests: Sequence[Request],
        ask: Callable[[Request], Iterable[Proposal]],
        pick: Callable[[Sequence[Idea]], Candidate | None],
        late: Callable[[], object] = lambda: False,
    ) -> Candidate | None:
        """What `pick` takes of the ideas for these turns; the provider is asked where it takes none of what is left.

        Nothing is taken where it is too `late`; what waits then is there for a larger budget.
        """
        if late():
            return None
        key = wire.digest([_turn(request) for request in requests])
        left = pick(self.table.get(key, []))
        if left is not None:
            return left
        found = [Idea(turn=n, proposal=one) for n, request in enumerate(requests) for one in ask(request)]
        if not found:
            return None
        self.table[key] = found
        self.note(IDEAS, wire.dump({key: found}))
        return None if late() else pick(found)


def _turn(request: Request) -> list[object]:
    partner = request.partner.id if request.partner else None
    return [request.parent.id, partner, sorted(request.kinds or ())]


def waiting(tables: Iterable[Json]) -> dict[str, list[Idea]]:
    """The ideas in the events of a run that is resumed."""
    merged: dict[str, list[Idea]] = {}
    for table in tables:
        merged.update(wire.load(dict[str, list[Idea]], table))
    return merged
