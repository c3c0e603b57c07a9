"""A run as others see it while it goes on: from the store alone, which any number of processes may be writing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from kmaint import agent, learning
from kmaint.config import Config
from kmaint.judging import RUNG
from kmaint.records.evaluation import Evaluation
from kmaint.records.run import Run
from kmaint.records.spent import Spent
from kmaint.store import STARTED, Event, Store

DESERTED_S = 10.0
"""With no process at work for so long, a run has ended without saying so: killed, it cannot."""

PLAN = "plan"


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """A candidate without a verdict, what is being done with it, and for how long."""

    candidate: str
    edit: str
    doing: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Glimpse:
    """How a run stands now. `silent_s` is how long ago it last wrote something down."""

    run: Run
    spent: Spent
    under_way: tuple[UnderWay, ...]
    silent_s: float
    at_work: bool

    @property
    def minutes(self) -> float:
        """Wall minutes up to now."""
        return (self.spent.wall_minutes or 0.0) + (self.silent_s / 60 if self.at_work else 0.0)

    @property
    def best(self) -> Evaluation | None:
        """The best candidate so far: the run's own choice once it has ended."""
        return self.run.winner or agent.choose_winner(self.run.evaluations)


def watch(run_id: str, config: Config, *, every_s: float = 0.5) -> Iterator[Glimpse]:
    """Yield how the run stands, again and again, until it has ended or no process works on it any more.

    The store is read again only where something was written to it.
    """
    with Store(config.state) as store:
        run, version = store.run(run_id), -1
        events: list[Event] = []
        seen_at_work = time.monotonic()
        while True:
            if (now := store.version()) != version:
                version, run, events = now, store.run(run.id), store.events(run.id)
            at_work = store.is_worked_on(run.id)
            seen_at_work = time.monotonic() if at_work else seen_at_work
            yield _glimpse(run, events, at_work=at_work)
            if run.state != "running" or time.monotonic() - seen_at_work > DESERTED_S:
                return
            time.sleep(every_s)


def _glimpse(run: Run, events: list[Event], *, at_work: bool) -> Glimpse:
    return Glimpse(
        run=run,
        spent=learning.spent(run, events),
        under_way=tuple(_under_way(run, events)) if at_work else (),
        silent_s=_seconds_since(events[-1].at) if events else 0.0,
        at_work=at_work,
    )


def _under_way(run: Run, events: list[Event]) -> Iterator[UnderWay]:
    """The candidates planned or judged since the last start that have no verdict yet, and the last said of each."""
    judged = {one.candidate.id for one in run.evaluations}
    edits: dict[str, str] = {}
    last: dict[str, tuple[str, str]] = {}
    for event in events:
        match event:
            case Event(kind=kind) if kind == STARTED:
                last.clear()
            case Event(kind=kind, payload={"candidate": str(name), "plan": {"edit": str(edit)}}) if kind == PLAN:
                edits[name], last[name] = edit, ("planned", event.at)
            case Event(kind=kind, payload={"candidate": str(name), "doing": str(doing)}) if kind == RUNG:
                last[name] = doing, event.at
    for name, (doing, at) in last.items():
        if name not in judged:
            yield UnderWay(candidate=name, edit=edits.get(name, ""), doing=doing, seconds=_seconds_since(at))


def _seconds_since(at: str) -> float:
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds())
