"""Puts mutants through a harness's suite in forks of a warm interpreter, and looks at those that pass more closely."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from kmaint.errors import HarnessError, MissingError
from kmaint.evaluate.rungs.suite import Outcome, arguments, reported, said_something, settings
from kmaint.folder import KERNEL, SUITE
from kmaint.forking.warm import Answer, Beforehand, Zygote, warm_interpreter
from kmaint.records.evaluation import Crashed, TimedOut
from kmaint.records.harness import Harness
from kmaint.records.mutation import Judged, Mutant, State

PROGRAM = Path(__file__).parents[1] / "workers" / "mutating.py"
BEFOREHAND = Beforehand(path=PROGRAM.parent, programs=(PROGRAM,))

SUITE_LIMIT_S, CALL_LIMIT_S = 300.0, 20.0
"""Of a mutant's whole suite and of one call: a mutant that loops for ever is out after one call."""

DRAW_BUDGET_S = 25.0
"""How long the original may take over the larger draw."""

RAISES = re.compile(r"^(?P<what>\w+(?:Error|Exception|Failure)\b.*) where the original returns")


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Cases that the suite did not choose, and the digest of what the original does on each that there was time for."""

    cases: list[dict[str, Any]]
    digests: list[str]

    @property
    def calls(self) -> int:
        return len(self.digests)


class Draws:
    """The draw of a harness, made by the first bed that has a survivor to look at: for many suites there is none."""

    def __init__(self, cases: list[dict[str, Any]]) -> None:
        self._cases, self._lock = cases, threading.Lock()
        self._draw: Draw | None = None

    def by(self, bed: Bed) -> Draw:
        """The draw; others wait while it is made."""
        with self._lock:
            self._draw = self._draw or bed.draw(self._cases)
            return self._draw


class Bed:
    """A warm interpreter in which mutants of one harness are tried, one after another.

    What is asked of it raises MissingError where the interpreter lacks torch.
    """

    def __init__(self, harness: Harness, zygote: Zygote, python: Path) -> None:
        self._harness, self._zygote, self._python = harness, zygote, python
        self._folder = harness.folder.resolve()

    def run_suite(self, candidate: Path, seed: int) -> Outcome:
        """The suite with the mutant in the kernel's place, as the gate runs it without a GPU, but in a fork."""
        started, suite = time.monotonic(), self._folder / SUITE
        with tempfile.TemporaryDirectory(prefix="kmaint-mutant-") as name:
            scratch = Path(name)
            report = scratch / "report.xml"
            answer = self._ask(
                "suite",
                SUITE_LIMIT_S,
                arguments=arguments(scratch, report, suite),
                settings=settings(candidate, scratch, seed, CALL_LIMIT_S),
            )
            seconds = time.monotonic() - started
            if answer.lost:
                late = "no answer" in answer.error
                lost = (
                    TimedOut(reason=answer.error, log="")
                    if late
                    else Crashed(reason=answer.error, codes=("signal",), log="")
                )
                return Outcome(rejection=lost, ran=0, seconds=seconds)
            if answer.error or answer.value not in (0, 1) or not report.is_file():
                why = answer.error or f"exit status {answer.value}"
                raise HarnessError(f"{suite}: pytest cannot run it: {why}", "write it again with 'kmaint testgen'")
            return said_something(reported(report, "", seconds), suite)

    def draw(self, cases: list[dict[str, Any]]) -> Draw:
        """What the original does on the cases, as far as the time for it goes."""
        answer = self._ask("originals", 4 * DRAW_BUDGET_S, cases=cases, budget_s=DRAW_BUDGET_S, **self._entry)
        if answer.error:
            raise HarnessError(
                f"{self._folder}: the original does not run on a larger draw: {answer.error}", "see its constraints"
            )
        assert isinstance(answer.value, list)
        return Draw(cases=cases, digests=answer.value)

    def change(self, candidate: Path, draw: Draw) -> tuple[State, str]:
        """What a mutant that the suite passes is, by what it does on the draw."""
        answer = self._ask(
            "first_change",
            8 * DRAW_BUDGET_S,
            candidate=str(candidate.resolve()),
            cases=draw.cases,
            expected=draw.digests,
            **self._entry,
        )
        if answer.error:
            return "survived", f"on a larger draw: {answer.error}"
        if answer.value is None:
            return "unchanged", f"the same bits as the original in {draw.calls} calls of a larger draw"
        assert isinstance(answer.value, dict)
        found = answer.value
        if found["rounding"]:
            told = f"within what the suite allows in all {draw.calls} calls of a larger draw"
            return "rounding", f"{told}; {found['text']}, on {found['case']}"
        return "survived", f"{found['text']}, on {found['case']}"

    @property
    def _entry(self) -> dict[str, str]:
        return {"entry": self._harness.entry}

    def _ask(self, function: str, limit_s: float, **arguments: Any) -> Answer:
        if self._zygote.missing:
            raise MissingError(
                f"{self._python}: no {self._zygote.missing} in it", "give another interpreter with --python"
            )
        return self._zygote.ask(PROGRAM, function, self._folder, limit_s=limit_s, **arguments)


@contextlib.contextmanager
def open_bed(harness: Harness, python: Path) -> Iterator[Bed]:
    """A bed for as long as the block lasts; its interpreter starts meanwhile."""
    with warm_interpreter(str(python), BEFOREHAND) as zygote:
        yield Bed(harness, zygote, python)


def judge_mutants(
    harness: Harness, mutants: Sequence[Mutant], cases: list[dict[str, Any]], python: Path, *, jobs: int
) -> Iterator[Judged]:
    """Each mutant with what became of it, as they are done; the suite must pass the original first."""
    with ThreadPoolExecutor(jobs) as pool, contextlib.ExitStack() as stack:
        idle, beds = SimpleQueue[Bed](), list[Bed]()
        for _ in range(min(jobs, len(mutants))):
            beds.append(stack.enter_context(open_bed(harness, python)))
            idle.put(beds[-1])
        if not beds:
            return
        pass_the_original(harness, beds[0])
        draws = Draws(cases)

        def judge(mutant: Mutant) -> Judged:
            bed = idle.get()
            try:
                return judged(bed, mutant, draws)
            finally:
                idle.put(bed)

        futures = [pool.submit(judge, mutant) for mutant in mutants]
        try:
            for done in as_completed(futures):
                yield done.result()
        finally:
            for future in futures:
                future.cancel()


def pass_the_original(harness: Harness, bed: Bed) -> None:
    """HarnessError where the suite fails on the original itself: what it says of mutants would be worth nothing."""
    rejection = bed.run_suite(harness.folder / KERNEL, 0).rejection
    if rejection is not None:
        raise HarnessError(
            f"{harness.folder / SUITE}: fails on the original: {rejection.reason}", "extract the kernel again"
        )


def judged(bed: Bed, mutant: Mutant, draws: Draws) -> Judged:
    """Put one mutant through the suite, and through the draw where it passes."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kmaint-mutant-") as name:
        candidate = Path(name) / "candidate.py"
        candidate.write_text(mutant.source)
        outcome = bed.run_suite(candidate, int(mutant.id[:7], 16))
        found: dict[str, Any]
        if outcome.rejection is None:
            state, reason = bed.change(candidate, draws.by(bed))
            found = {"state": state, "reason": reason}
        else:
            rejection = outcome.rejection
            codes = getattr(rejection, "codes", None) or (rejection.kind,)
            raises = RAISES.match(rejection.reason) if outcome.by == "test_smoke" else None
            found = {"state": "killed", "reason": rejection.reason, "by": outcome.by, "codes": tuple(codes)}
            if raises:
                found = {"state": "not_built", "reason": f"raises {raises['what']} on the smallest case"}
    what = {key: value for key, value in vars(mutant).items() if key != "source"}
    return Judged(**what, **found, seconds=round(time.monotonic() - started, 2))


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
