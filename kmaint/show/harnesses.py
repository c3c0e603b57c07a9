"""What commands on harnesses print: suites, parity, verdicts."""

from __future__ import annotations

from collections.abc import Mapping

from kmaint.console import (
    DONE,
    NO,
    Format,
    print_lines,
    print_object,
    print_table,
)
from kmaint.records.evaluation import Evaluation, Passed, wall_s
from kmaint.records.harness import Suite
from kmaint.records.parity import Parity
from kmaint.records.timing import Interval
from kmaint.wire import dump


def suite(written: Suite, output: Format) -> None:
    """The path of the suite and what it states."""
    if output is Format.JSON:
        print_object("kmaint.testgen/1", dump(written))
    else:
        print_lines([str(written.path), *(f"  {name}" for name in written.properties)])


def parity(found: Parity, output: Format) -> int:
    """Whether the harness is the op it was cut from; the answer is no for anything but `holds`."""
    if output is Format.JSON:
        print_object("kmaint.parity/1", dump(found))
    else:
        print_lines(f"{pace.workload}: {interval(pace.ratio)} of the shipped op's time" for pace in found.paces)
        timed = "" if found.paces else ", not timed"
        print_lines([f"holds against {found.shipped}{timed}" if found.state == "holds" else _unlike(found)])
    return DONE if found.state == "holds" else NO


def _unlike(found: Parity) -> str:
    return f"{found.state}: {found.reason}"


def evaluation(found: Evaluation, output: Format, *, best: bool = False) -> int:
    """The verdict with its reason and rungs; the answer is no for anything but passed, and of the `best` but a win."""
    verdict = found.verdict
    good = isinstance(verdict, Passed) and (verdict.win or not best)
    if output is Format.JSON:
        print_object("kmaint.check/1", _checked(found))
    else:
        print_table(
            ("rung", "", "s", "detail"),
            ((r.name, "ok" if r.passed else "FAILED", f"{r.seconds:.1f}", r.detail) for r in found.rungs),
        )
        print_lines([verdict_line(found)])
    return DONE if good else NO


def evaluations(found: Mapping[str, Evaluation], output: Format, *, best: bool = False) -> int:
    """One line for each file; the answer is no where any did not pass, or, of the `best` alone, where none won."""
    if output is Format.JSON:
        print_object("kmaint.check/1", {"evaluations": [{"file": name, **_checked(e)} for name, e in found.items()]})
    else:
        print_table(
            ("file", "candidate", "verdict", "s"),
            ((name, e.candidate.id, verdict_line(e), f"{wall_s(e.rungs):.1f}") for name, e in found.items()),
        )
    passed = [e.verdict for e in found.values() if isinstance(e.verdict, Passed)]
    good = any(verdict.win for verdict in passed) if best else len(passed) == len(found)
    return DONE if good else NO


def _checked(found: Evaluation) -> dict[str, object]:
    return {**verdict_fields(found), "rungs": dump(found.rungs), "environment": dump(found.environment)}


def verdict_fields(found: Evaluation) -> dict[str, object]:
    verdict = found.verdict
    if isinstance(verdict, Passed):
        ratio = dump(verdict.timing.speedup) if verdict.timing else None
        more = {"ratio": ratio} if ratio else {}
        return {
            "verdict": verdict.kind,
            "reason": "",
            "codes": [],
            "win": verdict.win,
            "numerics": verdict.numerics.kind,
            **more,
        }
    return {"verdict": verdict.kind, "reason": verdict.reason, "codes": list(verdict.codes)}


def verdict_line(found: Evaluation) -> str:
    verdict = found.verdict
    if not isinstance(verdict, Passed):
        codes = f" ({', '.join(verdict.codes)})" if verdict.codes else ""
        return f"{verdict.kind}{codes}: {verdict.reason}"
    if verdict.timing is None:
        return f"passed, {verdict.numerics.kind}; not timed: no GPU here"
    return f"passed, {verdict.numerics.kind}; {interval(verdict.timing.speedup)}{'' if verdict.win else ', not a win'}"


def interval(ratio: Interval) -> str:
    """A speedup as people read it: `1.52x (1.50 to 1.54)`."""
    return f"{ratio.ratio:.2f}x ({ratio.low:.2f} to {ratio.high:.2f})"
