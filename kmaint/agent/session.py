"""Opens a run's session: from the settings, and from the events of the run where it is resumed."""

from __future__ import annotations

from collections.abc import Iterable

from kmaint import wire
from kmaint.agent.chain import Session
from kmaint.agent.providers import choose_provider
from kmaint.agent.screening import TABLE, Note, remembered
from kmaint.agent.strategies import choose_strategy
from kmaint.config import Config
from kmaint.evaluate import Bench, baseline
from kmaint.records.evaluation import Profile
from kmaint.records.harness import Harness
from kmaint.records.run import Budget
from kmaint.store import Event

BASELINE = "baseline"


def open_session(
    harness: Harness,
    bench: Bench,
    config: Config,
    *,
    note: Note = lambda _kind, _payload: None,
    events: Iterable[Event] = (),
) -> Session:
    """Provider, strategy and budget by the settings; the original's profile is taken once in a run, and noted."""
    provider, strategy = choose_provider(config), choose_strategy(config.strategy)  # before anything slow
    said = list(events)
    profile = next((wire.load(Profile, event.payload) for event in said if event.kind == BASELINE), None)
    if profile is None:
        profile = baseline(harness, bench)
        note(BASELINE, wire.dump(profile))
    return Session(
        harness=harness,
        bench=bench,
        provider=provider,
        strategy=strategy,
        budget=Budget(candidates=config.candidates, minutes=config.minutes),
        baseline=profile,
        note=note,
        ranks=remembered(event.payload for event in said if event.kind == TABLE),
    )
