"""Rungs 3 and 4: the harness's own suite, run by the target's pytest."""

from __future__ import annotations

import re
import secrets
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast, get_args

from kmaint.child import Finished
from kmaint.errors import HarnessError
from kmaint.evaluate.bench import FEW_QUEUES, Bench, candidates_start, environment_of, side_by_side, subjects
from kmaint.folder import SUITE
from kmaint.forking.programs import Program
from kmaint.records.evaluation import DISHONEST, Code, Crashed, Dishonest, Rejection, TimedOut, Wrong
from kmaint.records.harness import Harness

CODED = re.compile(r"\[(?P<code>[a-z_]+)\] (?P<text>[^\n]*)")
WORKER = Path(__file__).with_name("suite_worker.py")
PYTEST = ("-x", "-q", "-p", "no:cacheprovider")
NO_BITS_ACROSS_BATCHES = ("-k", "not a_row_does_not_depend")
"""Torch's own vector loops round by where in memory an element lies: where they may do the work, values are asked for,
and not that a row has the same bits in every batch."""
REASON_LENGTH = 300
NO_TESTS = 5
"""Pytest's exit status where nothing was left to run."""
MOST_SHARES = 4
"""Of a suite's tests: each share pays for a process of the suite and one of the candidate, on a GPU with a context."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one run of the suite ended: `ran` counts the tests that were not skipped, `by` is the one that failed.

    `met` counts those that were skipped too: the one that failed is the last of them.
    """

    rejection: Rejection | None
    ran: int
    seconds: float
    by: str = ""
    met: int = 0


def run_suite(harness: Harness, candidate: Path, bench: Bench, *, on_gpu: bool, most: int = MOST_SHARES) -> Outcome:
    """The suite with the candidate in place of the kernel, in `most` shares at most. HarnessError where the suite
    itself cannot run."""
    suite = harness.folder.resolve() / SUITE
    if not suite.is_file():
        raise HarnessError(
            f"{suite}: missing, so nothing can be checked", f"'kmaint testgen {harness.folder}' writes it"
        )
    # The seed is drawn after the candidate is written: it cannot know the cases.
    seed = secrets.randbits(31)
    of = max(1, min(most, bench.threads // 2))
    shares = [Share(part, of, seed) for part in range(of)]
    run = partial(_run_share, harness, candidate, bench, on_gpu=on_gpu)
    return said_something(_first(side_by_side(run, shares)), suite)


def said_something(outcome: Outcome, suite: Path) -> Outcome:
    """The outcome of a whole suite. HarnessError where nothing ran."""
    if outcome.rejection is None and not outcome.ran:
        raise HarnessError(f"{suite}: every test is skipped here", "run it with a GPU, or write it again")
    return outcome


@dataclass(frozen=True)
class Share:
    """Every `of`-th test of a suite from number `part` on, run in a process of its own."""

    part: int
    of: int
    seed: int


def _first(outcomes: Sequence[Outcome]) -> Outcome:
    """What one process would have said that runs all the tests in their order: the failure that it meets first."""
    failed = [outcome for outcome in outcomes if outcome.rejection]
    ran, seconds = sum(outcome.ran for outcome in outcomes), max(outcome.seconds for outcome in outcomes)
    if not failed:
        return Outcome(rejection=None, ran=ran, seconds=seconds)
    return replace(min(failed, key=lambda outcome: outcome.met), seconds=seconds)


def _run_share(harness: Harness, candidate: Path, bench: Bench, share: Share, *, on_gpu: bool) -> Outcome:
    folder, rung = harness.folder.resolve(), "device" if on_gpu else "interpreter"
    suite = folder / SUITE
    with tempfile.TemporaryDirectory(prefix="kmaint-suite-", ignore_cleanup_errors=True) as name, subjects() as places:
        scratch = Path(name)
        report = scratch / "report.xml"
        left_out = NO_BITS_ACROSS_BATCHES if harness.compute == "any" else ()
        program = Program(
            argv=[WORKER, *arguments(scratch, report, suite), *left_out],
            env={
                **environment_of(folder, scratch, gpu=on_gpu, interpret=not on_gpu, only=bench.gpu),
                **settings(candidate, scratch, share.seed, bench.limits_s["call"]),
                "KMAINT_SHARE": f"{share.part} {share.of}",
                "KMAINT_EXEMPT": ",".join(sorted(bench.exempt(harness))),
                **candidates_start(bench, interpret=not on_gpu),
                **places,
                **(FEW_QUEUES | _shared_gpu(bench) if on_gpu else {}),
            },
            cwd=scratch,
        )
        finished = bench.run(folder, program, timeout_s=bench.limits_s[rung])
        if finished.code == NO_TESTS and share.of > 1:
            return Outcome(rejection=None, ran=0, seconds=finished.seconds)
        return _judge(finished, report, suite, bench.limits_s[rung])


def arguments(scratch: Path, report: Path, suite: Path) -> list[str]:
    """Pytest's arguments for a suite; with settings of ours, so that no pyproject.toml above the harness counts."""
    own = scratch / "pytest.ini"
    own.write_text("[pytest]\n")
    return [*PYTEST, f"--rootdir={scratch}", "-c", str(own), f"--junitxml={report}", str(suite)]


def _shared_gpu(bench: Bench) -> dict[str, str]:
    """Where the suite takes its turns, and where the originals' kernels are kept; a candidate is told of neither."""
    places = {"KMAINT_TURNS": bench.turns, "KMAINT_ORIGINALS": bench.originals}
    return {name: str(place) for name, place in places.items() if place}


def settings(candidate: Path, scratch: Path, seed: int, call_limit_s: float) -> dict[str, str]:
    """What the suite reads from its environment."""
    return {
        "KMAINT_CANDIDATE": str(candidate.resolve()),
        "KMAINT_PROFILE": "gate",
        "KMAINT_SEED": str(seed),
        "KMAINT_CALL_LIMIT_S": str(call_limit_s),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "hypothesis"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def _judge(finished: Finished, report: Path, suite: Path, limit_s: float) -> Outcome:
    log = finished.stdout + finished.stderr
    if finished.timed_out:
        late = TimedOut(reason=f"the suite did not end within {limit_s:.0f} s", log=log)
        return Outcome(rejection=late, ran=0, seconds=finished.seconds)
    if finished.signal:
        reason = f"the suite's process was ended by {finished.signal}"
        return Outcome(rejection=Crashed(reason=reason, codes=("signal",), log=log), ran=0, seconds=finished.seconds)
    if finished.code not in (0, 1) or not report.is_file():
        raise HarnessError(
            f"{suite}: pytest cannot run it (exit status {finished.code}): {_last(log)}", "write it again"
        )
    return reported(report, log, finished.seconds)


def reported(report: Path, log: str, seconds: float) -> Outcome:
    """What pytest's report says."""
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - written by pytest just now
    ran = [case for case in cases if case.find("skipped") is None]
    for case in ran:
        for broken in (case.find("failure"), case.find("error")):
            if broken is not None:
                by = (case.get("name") or "").partition("[")[0]
                return Outcome(
                    rejection=rejected(_message(broken), log), ran=len(ran), seconds=seconds, by=by, met=len(cases)
                )
    return Outcome(rejection=None, ran=len(ran), seconds=seconds)


def _last(log: str) -> str:
    lines = log.strip().splitlines()
    return lines[-1] if lines else "no output"


def _message(broken: ElementTree.Element) -> str:
    """A test's own text; Hypothesis puts several failures into a group, whose parts stand in the body."""
    message = broken.get("message") or ""
    return message if CODED.search(message) else f"{message}\n{broken.text or ''}"


def rejected(message: str, log: str) -> Rejection:
    """The verdict that a failing test's message names: `[code] text`."""
    found = CODED.search(message)
    if found is None or found["code"] not in get_args(Code):
        line = next((line for line in message.splitlines() if line.strip()), "a test failed without a message")
        return Wrong(reason=line.strip()[:REASON_LENGTH], codes=("exception",), log=log)
    return verdict_of(cast("Code", found["code"]), found["text"].strip(), log)


def verdict_of(code: Code, text: str, log: str) -> Rejection:
    """A code of the gate as the verdict it stands for."""
    reason = text[:REASON_LENGTH]
    match code:
        case "timeout":
            return TimedOut(reason=reason, log=log)
        case "signal" | "exit" | "not_run":
            return Crashed(reason=reason, codes=(code,), log=log)
        case _:
            kind = Dishonest if code in DISHONEST else Wrong
            return kind(reason=reason, codes=(code,), log=log)
