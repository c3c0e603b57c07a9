"""Rungs 3 and 4: the harness's own suite, run by the target's pytest."""

from __future__ import annotations

import re
import secrets
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from kmaint.child import Finished
from kmaint.errors import HarnessError
from kmaint.evaluate.bench import Bench, candidates_start, environment_of
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


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one run of the suite ended: `ran` counts the tests that were not skipped, `by` is the one that failed."""

    rejection: Rejection | None
    ran: int
    seconds: float
    by: str = ""


def run_suite(harness: Harness, candidate: Path, bench: Bench, *, on_gpu: bool) -> Outcome:
    """The suite with the candidate in place of the kernel. HarnessError where the suite itself cannot run."""
    folder = harness.folder.resolve()
    suite = folder / SUITE
    if not suite.is_file():
        raise HarnessError(
            f"{suite}: missing, so nothing can be checked", f"'kmaint testgen {harness.folder}' writes it"
        )
    rung = "device" if on_gpu else "interpreter"
    with tempfile.TemporaryDirectory(prefix="kmaint-suite-") as name:
        scratch = Path(name)
        report = scratch / "report.xml"
        left_out = NO_BITS_ACROSS_BATCHES if harness.compute == "any" else ()
        program = Program(
            argv=[WORKER, *arguments(scratch, report, suite), *left_out],
            env={
                **environment_of(folder, scratch, gpu=on_gpu, interpret=not on_gpu, only=bench.gpu),
                # The seed is drawn after the candidate is written: it cannot know the cases.
                **settings(candidate, scratch, secrets.randbits(31), bench.limits_s["call"]),
                "KMAINT_EXEMPT": ",".join(sorted(bench.exempt(harness))),
                **candidates_start(bench, interpret=not on_gpu),
                **(_shared_gpu(bench) if on_gpu else {}),
            },
            cwd=scratch,
        )
        finished = bench.run(folder, program, timeout_s=bench.limits_s[rung])
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
    return reported(report, suite, log, finished.seconds)


def reported(report: Path, suite: Path, log: str, seconds: float) -> Outcome:
    """What pytest's report says. HarnessError where nothing ran."""
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - written by pytest just now
    ran = [case for case in cases if case.find("skipped") is None]
    if not ran:
        raise HarnessError(f"{suite}: every test is skipped here", "run it with a GPU, or write it again")
    for case in ran:
        for broken in (case.find("failure"), case.find("error")):
            if broken is not None:
                by = (case.get("name") or "").partition("[")[0]
                return Outcome(rejection=rejected(_message(broken), log), ran=len(ran), seconds=seconds, by=by)
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
