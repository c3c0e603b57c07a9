"""Small histories made by hand, and what a chain would make parents of in them."""

from __future__ import annotations

from collections.abc import Sequence

from kmaint.agent.proposal import Parent
from kmaint.agent.strategies import Turn
from kmaint.agent.winner import lead
from kmaint.records.evaluation import Evaluation, Passed
from tests.agent.conftest import PROFILE, Judged

judged = Judged()


def parents(history: Sequence[Evaluation]) -> list[Parent]:
    """The original and what passed, as the chain gives them."""
    found = [Parent(id=None, source="original", profile=PROFILE, ratio=1.0)]
    for one in history:
        if isinstance(one.verdict, Passed):
            profile, ratio = one.verdict.profile, lead(one) or 0.0
            found.append(Parent(id=one.candidate.id, source=one.candidate.source, profile=profile, ratio=ratio))
    return found


def names(turns: Sequence[Turn]) -> list[str]:
    """Each turn's parent by its source, and its partner after a cross."""
    return [f"{turn.parent.source} x {turn.partner.source}" if turn.partner else turn.parent.source for turn in turns]
