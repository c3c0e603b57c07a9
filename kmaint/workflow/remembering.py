"""Verdicts of all runs to lessons for the next one."""

from __future__ import annotations

from pathlib import Path

from kmaint.agent import memory
from kmaint.config import Config
from kmaint.records.lesson import Lesson
from kmaint.records.run import Run
from kmaint.store import Store


def learned(store: Store, config: Config) -> list[Lesson]:
    """What every run of the store taught, and what the settings' file of lessons holds besides."""
    carried = memory.read_lessons(config.memory) if config.memory else []
    own = [lesson for run in store.runs() for lesson in memory.lessons_of(run, _original(run))]
    return memory.distinct([*own, *carried])


def _original(run: Run) -> str:
    """The source that the run began with; empty where its harness is gone."""
    found = sorted(Path(run.harness).glob("kernel.*"))  # in CUDA C++ kernel.cu stands before its kernel.py
    return found[0].read_text() if found else ""


def all_lessons(config: Config) -> list[Lesson]:
    """As `learned`, of the settings' own state folder."""
    with Store(config.state) as store:
        return learned(store, config)


def export_lessons(lessons: list[Lesson], file: Path) -> int:
    """Add them to a file; how many it did not hold yet."""
    return memory.write_lessons(file, lessons)
