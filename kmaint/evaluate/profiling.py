"""Profiles outside of a climb: the original's own, and with counters what was profiled without."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from kmaint.evaluate.bench import Bench, laid_out
from kmaint.evaluate.rungs import facts
from kmaint.evaluate.rungs.counters import count
from kmaint.evaluate.rungs.profile import profile, with_counters
from kmaint.evaluate.timing.measuring import Measured, measure
from kmaint.evaluate.timing.session import BATCH, Effort
from kmaint.records.evaluation import Profile
from kmaint.records.harness import Harness


def baseline(harness: Harness, bench: Bench) -> Profile:
    """The original's own profile: compiler facts, and its times and counters where there is a GPU that gives them."""
    bench.expect(harness)
    with laid_out(harness, harness.replaced.read_text()) as (scratch, file):
        built = facts.original_built(harness, bench, scratch)
        if harness.language == "cuda":
            file = facts.as_candidate(harness, bench, scratch)
        effort = Effort(most_blocks=BATCH)  # no call is to be made, so that more would settle nothing
        started = time.monotonic()
        measured = measure(harness, file, bench, scratch, effort) if bench.device == "cuda" else None
        timed_s = time.monotonic() - started
        timing = measured.timing if isinstance(measured, Measured) else None
        found = profile(built.launches, timing, harness.contract, bench.environment, library=built.is_library)
        if measured is None:
            return found
        if not isinstance(measured, Measured):
            bench.progress(f"the original's profile is estimated, since it could not be timed: {measured.reason}")
            return replace(found, device_s=timed_s)
        found, trouble = with_counts(found, harness, file, bench, scratch)
        if trouble:
            bench.progress(f"the original's profile has no counters: {trouble}")
        return replace(found, device_s=timed_s + (found.device_s or 0.0))


def with_counts(found: Profile, harness: Harness, file: Path, bench: Bench, scratch: Path) -> tuple[Profile, str]:
    """The profile with what is counted in a call of the file; or as it was, and why. For a machine with a GPU.

    `device_s` is that of the counting alone.
    """
    counted = count(harness, file, bench, scratch)
    found = replace(found, device_s=counted.device_s)
    if counted.counters is None:
        return found, counted.trouble
    return with_counters(found, counted.counters, harness.contract, bench.environment), ""


def count_source(found: Profile, harness: Harness, source: str, bench: Bench) -> tuple[Profile, str]:
    """As `with_counts`, of a source that has passed the gate: its file is laid out, and built, once more."""
    with laid_out(harness, source) as (scratch, file):
        if harness.language == "cuda":
            facts.compile_all(harness, [file], bench, scratch)
        return with_counts(found, harness, file, bench, scratch)
