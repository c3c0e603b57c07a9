"""What the chain asks of a provider and what it gets back: plans and code, never decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from kmaint.agent.kinds import Kind
from kmaint.evaluate import Screened
from kmaint.records.evaluation import Candidate, Evaluation, Plan, Profile
from kmaint.records.harness import Harness
from kmaint.records.lesson import Lesson

Screen = Callable[[Sequence[str]], list[Screened]]
"""Ranks whole sources against the original, roughly and fast; remembers what it has ranked before."""


@dataclass(frozen=True, kw_only=True)
class Parent:
    """What a proposal starts from: the original, whose `id` is None, or a candidate that passed the gate.

    `ratio` is original over parent: 1 for the original, else the lower bound that the gate measured, or an estimate.
    """

    id: str | None
    source: str
    profile: Profile
    ratio: float


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A candidate that the gate turned down, and why in one line."""

    candidate: Candidate
    reason: str


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One edit and the whole source it leads to."""

    plan: Plan
    source: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """One turn. With `failed` it is a repair turn: mend that candidate, which was made from the parent.

    With a `partner` it asks for a crossing: what the partner has and the parent lacks, put onto the parent.
    """

    harness: Harness
    parent: Parent
    history: tuple[Evaluation, ...]
    screen: Screen
    failed: Failure | None = None
    partner: Parent | None = None
    kinds: frozenset[Kind] | None = None
    """Those that the edit may be of; None is any."""
    besides: tuple[Proposal, ...] = ()
    """What was proposed for this turn already: something else is wanted."""
    lessons: tuple[Lesson, ...] = ()
    """What earlier runs taught of cases like the parent's, the best evidence first."""


class Provider(Protocol):
    """Gives proposals: a function of the request and of the run's dialogue, so that a kill makes it forget nothing."""

    @property
    def name(self) -> str:
        """As the user chose it, and as it stands in each candidate."""

    @property
    def repairs(self) -> bool:
        """Whether it makes anything of a repair turn."""

    @property
    def plans(self) -> bool:
        """Whether an edit follows from its plan, so that the same plan again is the same edit again.

        Of whole files that are handed in it does not: a plan is read off each, or says the same of several.
        """

    def propose(self, request: Request) -> Proposal | None:
        """The next proposal from this parent that is not in the history; None where there is none."""


Decision = Literal["keep", "refine", "leave"]


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """How to go on with a candidate that passed, and the one reason.

    keep: as the search will; refine: there is more in this one; leave: its line gets no turn any more.
    """

    decision: Decision
    reason: str


@runtime_checkable
class Judge(Protocol):
    """A provider that also says how to go on with what passed."""

    def rule(self, harness: Harness, baseline: Profile, passed: Evaluation) -> Ruling | None:
        """None where no answer was of use."""


class Awaited(Exception):
    """The next proposal comes from outside: the run ends here for now, and goes on when it is there."""
