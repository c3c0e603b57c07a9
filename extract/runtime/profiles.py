"""How much of a suite is run, by whom: settings of Hypothesis for people, CI and the gate, and what failed before.

Copied unchanged into every harness.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import CodeType, MappingProxyType
from typing import Any

import hypothesis
from hypothesis.database import DirectoryBasedExampleDatabase

from .cases import Case

FAILURES = "failures.json"
"""In the harness folder: the last case that failed each property, as a person reads it. Case by "property [code]"."""

PATIENCE_S = MappingProxyType({"people": 30.0, "ci": 30.0, "gate": 3.0})
"""After how much time of this process, which is the original's mostly, a property has seen enough cases: processor
seconds, so that a busy machine asks no less of a candidate. The gate runs a dozen properties for each of them."""

LEAST = 3
"""Cases that a property gets however long they take."""

MOST_KEPT = 6
"""Failing cases that are kept for each property: the next candidate meets all of them first."""


def profile() -> str:
    """people, ci or gate."""
    return os.environ.get("KMAINT_PROFILE") or ("ci" if os.environ.get("CI") else "people")


class Kept(DirectoryBasedExampleDatabase):
    """Failing cases of a harness. One that a candidate passes is kept for the next; Hypothesis would drop it."""

    def save(self, key: bytes, value: bytes) -> None:
        """Keep the case, unless enough are kept."""
        if len(list(self.fetch(key))) < MOST_KEPT:
            super().save(key, value)

    def delete(self, key: bytes, value: bytes) -> None:
        """Drop what shrinking has made smaller, and nothing that failed."""
        if profile() != "gate":
            super().delete(key, value)


def use_profile(folder: Path) -> None:
    """Settings of Hypothesis for whoever runs the suite.

    No deadline: a first call compiles. No health checks of speed or filtering: a call under the interpreter takes
    milliseconds a program, and a contract with several constraints turns away more draws than Hypothesis likes.
    """
    slow = [
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.filter_too_much,
        hypothesis.HealthCheck.data_too_large,
        hypothesis.HealthCheck.differing_executors,
    ]
    common = hypothesis.settings(deadline=None, suppress_health_check=slow, report_multiple_bugs=False)
    examples, at_the_gate = (12, 8) if os.environ.get("TRITON_INTERPRET") == "1" else (60, 30)
    kept = Kept(folder / ".hypothesis")
    hypothesis.settings.register_profile("people", common, max_examples=examples, database=kept)
    hypothesis.settings.register_profile("ci", common, max_examples=examples, derandomize=True, database=None)
    # The gate reports a failure as found: shrinking would spend its time on a candidate that is already out.
    found_is_enough = (hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate)
    hypothesis.settings.register_profile(
        "gate", common, max_examples=at_the_gate, database=kept, print_blob=False, phases=found_is_enough
    )
    hypothesis.settings.load_profile(profile())


def kept_as(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Draw from KMAINT_SEED where it is set; keep failing cases under `name`, whatever becomes of the test's text.

    The name is of what is called and how, so that cases found by one suite are met first by the next.
    """

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        key = hashlib.sha256(f"{name} {test.__name__}".encode()).digest()
        test._hypothesis_internal_database_key = key  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
        given = os.environ.get("KMAINT_SEED")
        return hypothesis.seed(int(given))(test) if given else test

    return mark


def few() -> hypothesis.settings:
    """A third of the profile's examples: for a property that hardly depends on the case."""
    return hypothesis.settings(max_examples=max(4, hypothesis.settings().max_examples // 3))


def paced(test: Callable[..., None]) -> Callable[..., None]:
    """Let later cases pass unseen once the test has used up its time; write down the case on which it fails.

    From the first failure on each case is run: Hypothesis must see the same case fail again. Each pair begins anew.
    """
    spent_s, seen, failed, of = 0.0, 0, False, None

    @functools.wraps(test)
    def run(*positional: Any, **given: Any) -> None:
        nonlocal spent_s, seen, failed, of
        if given.get("pair") is not of:
            spent_s, seen, failed, of = 0.0, 0, False, given.get("pair")
        if spent_s > PATIENCE_S[profile()] and seen >= LEAST and not failed:
            return
        started = time.process_time()
        try:
            test(*positional, **given)
        except AssertionError as error:
            failed = True
            if "case" in given:
                note(test.__code__, error, given["case"])
            raise
        finally:
            spent_s, seen = spent_s + time.process_time() - started, seen + 1

    return run


def in_time(cases: Iterable[Case]) -> Iterator[Case]:
    """The cases in an order of their own for each seed, for half the profile's patience: each differs in one thing."""
    started, shuffled = time.process_time(), list(cases)
    random.Random(os.environ.get("KMAINT_SEED", "")).shuffle(shuffled)  # noqa: S311 - an order, no secret
    for index, case in enumerate(shuffled):
        if index >= LEAST and time.process_time() - started > PATIENCE_S[profile()] / 2:
            return
        yield case


def growing(name: str, cases: Iterable[Case]) -> Iterator[Case]:
    """Cases in the order of one axis, until the next would take more than half the profile's patience, by the last
    one's time and size; the first of all takes longer than it should, so the second is made in any case."""
    spent_s, last = 0.0, 1
    for index, case in enumerate(cases):
        if index > 1 and spent_s * case.axes[name] / last > PATIENCE_S[profile()] / 2:
            return
        started = time.process_time()
        yield case
        spent_s, last = time.process_time() - started, max(1, case.axes[name])


def note(test: CodeType, error: AssertionError, case: Case) -> None:
    """Put the failing case into FAILURES beside the test; a folder that cannot be written is left as it is."""
    path, said = Path(test.co_filename).with_name(FAILURES), str(error)
    try:
        known = dict(json.loads(path.read_text())) if path.is_file() else {}
        known[f"{test.co_name} {said[: said.find(']') + 1]}"] = case.to_json()
        own = path.with_name(
            f"{path.name}.{os.getpid()}"
        )  # whole at any time: several candidates may be judged at once
        own.write_text(json.dumps(known, indent=1) + "\n")
        own.replace(path)
    except (OSError, ValueError):
        return
