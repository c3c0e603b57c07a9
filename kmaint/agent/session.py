"""Opens a run's session: from the settings, and from the events of the run where it is resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from kmaint import wire
from kmaint.agent.budget import budget_of
from kmaint.agent.chain import Session
from kmaint.agent.counting import COUNTED, taken
from kmaint.agent.dialogue import Dialogue, recalled
from kmaint.agent.ideas import IDEAS, waiting
from kmaint.agent.memory import read_lessons
from kmaint.agent.providers import choose_provider
from kmaint.agent.rulings import RULING, given
from kmaint.agent.screening import TABLE, Note, remembered
from kmaint.agent.strategies import choose_strategy
from kmaint.config import Config
from kmaint.evaluate import Bench, baseline
from kmaint.records.evaluation import Profile
from kmaint.records.exchange import EXCHANGE
from kmaint.records.harness import Harness
from kmaint.records.lesson import Lesson
from kmaint.store import Event

BASELINE, LESSONS = "baseline", "lessons"


def check_settings(config: Config) -> None:
    """UsageError or MissingError where nobody could propose by these settings: said before anything is begun."""
    choose_provider(config, Dialogue(budget=budget_of(config)))
    choose_strategy(config.strategy)
    if config.memory is not None:
        read_lessons(config.memory)


def open_session(
    harness: Harness,
    bench: Bench,
    config: Config,
    *,
    note: Note = lambda _kind, _payload: None,
    events: Iterable[Event] = (),
    folder: Path = Path(),
    remember: Callable[[], Sequence[Lesson]] = tuple,
) -> Session:
    """Provider, strategy and budget by the settings; the original's profile is taken once in a run, and noted.

    So is which lessons there were: a resumed run knows what the killed one knew, and nothing that was learned since.
    `folder` is the run's own, for providers that leave files there.
    """
    said = list(events)
    exchanges = recalled(event.payload for event in said if event.kind == EXCHANGE)
    dialogue = Dialogue(note=note, budget=budget_of(config), exchanges=exchanges, folder=folder)
    provider, strategy = choose_provider(config, dialogue), choose_strategy(config.strategy)  # before anything slow
    profile = next((wire.load(Profile, event.payload) for event in said if event.kind == BASELINE), None)
    if profile is None:
        profile = baseline(harness, bench)
        note(BASELINE, wire.dump(profile))
    return Session(
        harness=harness,
        bench=bench,
        provider=provider,
        strategy=strategy,
        baseline=profile,
        note=note,
        ranks=remembered(event.payload for event in said if event.kind == TABLE),
        dialogue=dialogue,
        rulings=given(event.payload for event in said if event.kind == RULING),
        counted=taken(event.payload for event in said if event.kind == COUNTED),
        ideas=waiting(event.payload for event in said if event.kind == IDEAS),
        lessons=_known(said, note, remember()),
    )


def _known(said: Iterable[Event], note: Note, there: Sequence[Lesson]) -> tuple[Lesson, ...]:
    """Of the lessons that there are, those that there were when the run began."""
    lessons = {wire.digest(lesson): lesson for lesson in there}
    known = next((wire.load(list[str], event.payload) for event in said if event.kind == LESSONS), None)
    if known is None:
        known = list(lessons)
        note(LESSONS, known)
    return tuple(lessons[digest] for digest in known if digest in lessons)
