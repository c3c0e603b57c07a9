"""The gate: the rungs that a candidate climbs, of which the first failure is its verdict."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from kmaint import wire
from kmaint.errors import HarnessError, MissingError
from kmaint.evaluate.bench import OPEN_AIR, Bench, laid_out, side_by_side, with_more
from kmaint.evaluate.climbing import Climb, Group, Step, climbed, one_by_one
from kmaint.evaluate.look import LOOK, Look, Seen, look
from kmaint.evaluate.profiling import with_counts
from kmaint.evaluate.rungs import facts
from kmaint.evaluate.rungs.controls import laid_controls, trust
from kmaint.evaluate.rungs.facts import Built
from kmaint.evaluate.rungs.integrity import probe
from kmaint.evaluate.rungs.lint import lint
from kmaint.evaluate.rungs.numerics import numerics
from kmaint.evaluate.rungs.profile import profile
from kmaint.evaluate.rungs.sanitize import sanitize
from kmaint.evaluate.rungs.suite import run_suite
from kmaint.evaluate.screen import Rough
from kmaint.evaluate.timing.confirming import confirmed
from kmaint.evaluate.timing.measuring import Measured, measure
from kmaint.evaluate.timing.ratios import shortfall
from kmaint.evaluate.timing.session import Effort
from kmaint.records.evaluation import (
    Candidate,
    Evaluation,
    Numerics,
    Passed,
    Rejection,
    RungName,
    Slower,
)
from kmaint.records.harness import Harness
from kmaint.records.timing import Interval

CANNOT_INTERPRET = "InterpreterError"
"""How triton names whatever goes wrong while it interprets a kernel."""


MOST_NAMED = 12
"""Of what a candidate asks of others and the original does not."""


def check(
    harness: Harness, candidate: Candidate, bench: Bench, *, seen: Seen | None = None, outrun: Callable[[], str] = str
) -> Evaluation:
    """Climb the rungs in order. HarnessError or InternalError where the harness, not the candidate, is at fault.

    MissingError for CUDA C++ that builds, where there is no GPU to judge it on. `seen` is the first look that it had.
    """
    if seen is None and bench.only_wins and bench.device == "cuda":
        found = first_look(harness, candidate, bench)
        if isinstance(found, Evaluation):
            return found
        seen = found
    bench.expect(harness)
    with laid_out(harness, candidate.source) as (scratch, file):
        climb = Climb(harness, candidate, bench, scratch, file, seen=seen, outrun=outrun)
        groups = rungs_for(harness, bench, promising=_promising(seen))
        if seen is not None and seen.built is not None:  # it climbs on from where it was looked at
            climb.built, climb.rungs = seen.built, list(seen.rungs[:-1])
            groups = groups[len(climb.rungs) :]
        rejection = climbed(climb, groups)
        return _evaluation(climb, rejection or _passed(climb))


def _promising(seen: Seen | None) -> bool:
    """Whether a first look promises a win."""
    return seen is not None and seen.look is not None and not seen.look.no_win


def first_look(harness: Harness, candidate: Candidate, bench: Bench, rough: Rough = LOOK) -> Evaluation | Seen:
    """What a candidate that builds looks like; the verdict on one that does not, or can be no win.

    In a folder of its own: nobody watches a candidate there, and what it leaves must not be what is judged.
    """
    bench.expect(harness)
    with laid_out(harness, candidate.source) as (scratch, file):
        climb = Climb(harness, candidate, bench, scratch, file, rough=rough)
        if rejection := climbed(climb, FIRST):
            return _evaluation(climb, rejection)
    built = climb.built if harness.language == "triton" else None
    return Seen(look=climb.look, rungs=tuple(climb.rungs), built=built, wrong=climb.wrong)


def _evaluation(climb: Climb, verdict: Rejection | Passed) -> Evaluation:
    environment = climb.bench.environment
    timed = any(rung.name == "time" for rung in climb.rungs)  # else what another rung refused was timed for nothing
    if timed and climb.measured is not None and climb.measured.clocks_mhz:
        environment = dataclasses.replace(environment, clocks_mhz=climb.measured.clocks_mhz)
    rungs = list(climb.rungs)
    if climb.seen is not None:  # below the suites, where it stood
        rungs.insert(len(climb.seen.rungs) - 1, climb.seen.rungs[-1])
    return Evaluation(candidate=climb.candidate, verdict=verdict, rungs=tuple(rungs), environment=environment)


def rungs_for(harness: Harness, bench: Bench, *, promising: bool = False) -> list[Group]:
    """What a candidate climbs on this machine; the controls stand before the rungs whose word they test.

    Those that judge its results are one group: none needs another's word. What times it is for what was found right; it
    is one of them where a first look promised a win: what is promising is mostly right, and the GPU waits for suites.
    So it is with the tools for what would land: neither then waits for the other.
    """
    on_gpu = bench.device == "cuda"
    interpreted = harness.language == "triton"
    built: list[tuple[RungName, Step]] = [("lint", _lint), ("compile", _compile)]
    if not (interpreted or on_gpu):
        return one_by_one(*built, ("integrity", _nowhere))
    right: list[tuple[RungName, Step]] = [
        ("integrity", _integrity),
        ("interpreter", partial(_suite, on_gpu=False) if interpreted else _not_interpreted),
    ]
    if on_gpu:
        right.append(("device", partial(_suite, on_gpu=True)))
    right.append(("numerics", _numerics))
    fast: list[tuple[RungName, Step]] = [("time", _time), ("sanitizer", _sanitizer)] if on_gpu else []
    last: tuple[RungName, Step] = ("profile", profile_rung)
    if promising and on_gpu:
        return [*one_by_one(*built), (*right, fast[0]), (fast[1], last)]
    return [*one_by_one(*built), tuple(right), *one_by_one(*fast, last)]


def _lint(climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
    return lint(climb.harness, climb.harness.replaced.read_text(), climb.candidate.source)


def _compile(climb: Climb, bench: Bench) -> tuple[Rejection | None, str]:
    original = _build_ours(climb, bench)
    (built,) = facts.compile_all(climb.harness, [climb.file], bench, climb.scratch)
    if not isinstance(built, Built):
        return built, ""
    climb.built = built
    added = sorted(set(built.operators) - set(original.operators))
    what = "symbols the original does not ask for" if built.kernels else "torch arithmetic the original does not use"
    found = [f"{what}: {', '.join(added[:MOST_NAMED])}"] if added else []
    hints = [*filter(None, [facts.summary(built.kernels)]), *built.left_out, *found]
    return facts.without_kernel(climb.harness, original, built), "; ".join(hints)


def _build_ours(climb: Climb, bench: Bench) -> Built:
    """The original's facts. In CUDA C++ all that later rungs hold a candidate against is built by then: it takes most
    of a minute each, and none waits for another."""
    harness, scratch = climb.harness, climb.scratch
    if harness.language == "cuda" and bench.device == "cuda":
        builds = (facts.original_built, facts.as_candidate, laid_controls)
        side_by_side(lambda build: build(harness, bench, scratch), builds)
    return facts.original_built(harness, bench, scratch)


def _look(climb: Climb, bench: Bench) -> tuple[Rejection | None, str]:
    found = look(climb.harness, climb.file, bench, climb.scratch, climb.rough)
    if isinstance(found, str):
        return None, f"says nothing: {found}"
    if not isinstance(found, Look):
        climb.wrong = found
        return None, f"goes on: {found.reason}"
    climb.look = found
    return (Slower(reason=found.hopeless) if found.hopeless else None), str(found)


FIRST = one_by_one(("lint", _lint), ("compile", _compile), ("look", _look))
"""Where nothing but wins is wanted."""


def _nowhere(climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
    assert climb.built is not None
    raise MissingError(
        f"{climb.harness.folder}: candidate {climb.candidate.id} builds ({facts.summary(climb.built.kernels)}), and is"
        " not judged: CUDA C++ has no interpreter",
        "check it on a machine with a GPU",
    )


def _not_interpreted(_climb: Climb, _bench: Bench) -> tuple[Rejection | None, str]:
    return None, "not judged: CUDA C++ has no interpreter"


def _integrity(climb: Climb, bench: Bench) -> tuple[Rejection | None, str]:
    rejection, said = probe(climb.harness, climb.file, bench, climb.scratch)
    if rejection is not None:
        return rejection, ""
    with bench.once(f"controls of {climb.harness.folder}"):
        return None, f"{said}; {trust(climb.harness, bench, on_gpu=bench.device == 'cuda')}"


def _suite(climb: Climb, bench: Bench, *, on_gpu: bool) -> tuple[Rejection | None, str]:
    outcome = run_suite(climb.harness, climb.file, bench, on_gpu=on_gpu)
    if outcome.rejection is not None and "exception" in outcome.rejection.codes:
        fault = _fault_of_original(climb, bench, on_gpu=on_gpu)
        if fault and (on_gpu or bench.device == "none"):
            raise HarnessError(f"{climb.harness.folder}: the original fails its own suite: {fault}", "write it again")
        if fault:
            return None, f"not judged: the interpreter of this triton cannot run the original ({fault})"
    if not on_gpu and bench.device == "cuda" and _cannot_interpret(outcome.rejection):
        return None, "not judged: the interpreter of this triton cannot run it, so the GPU has to tell"
    return outcome.rejection, f"{outcome.ran} tests"


def _cannot_interpret(rejection: Rejection | None) -> bool:
    return rejection is not None and rejection.reason.startswith(CANNOT_INTERPRET)


def _fault_of_original(climb: Climb, bench: Bench, *, on_gpu: bool) -> str:
    """Why the original fails the suite that a candidate stumbled over; empty if it does not. Asked once for a state."""
    original = facts.as_candidate(climb.harness, bench, climb.scratch)
    mark = f"fault of {wire.digest(original.read_text())} {on_gpu} {sorted(bench.exempt(climb.harness))}"
    with bench.once(mark):
        if mark not in bench.known:
            rejection = run_suite(climb.harness, original, bench, on_gpu=on_gpu).rejection
            bench.known[mark] = rejection.reason if rejection else ""
    return str(bench.known[mark])


def _numerics(climb: Climb, bench: Bench) -> tuple[Rejection | None, str]:
    found = numerics(climb.harness, climb.file, bench, climb.scratch)
    if not isinstance(found, Numerics):
        return found, ""
    climb.numerics = found
    return None, found.kind


@contextlib.contextmanager
def apart(climb: Climb) -> Iterator[tuple[Path, Path]]:
    """A folder of its own with the candidate in it: what runs where nobody watches may write there, and must not write
    what the suites beside it are about to judge.

    Nothing of Triton's cache comes along: the candidate could write to it, and a cache names its files by their full
    paths, which nobody may read from here. What is timed is compiled of its source.
    """
    with tempfile.TemporaryDirectory(prefix="kmaint-time-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        with_more(climb.file, "", scratch / climb.file.name)
        yield scratch, scratch / climb.file.name


def _time(climb: Climb, bench: Bench) -> tuple[Rejection | None, str]:
    if outrun := climb.outrun():
        return Slower(reason=outrun), ""

    def measured(effort: Effort) -> Measured | Rejection:
        with apart(climb) as (scratch, file):
            return measure(climb.harness, file, bench, scratch, effort)

    found = confirmed(measured, bench, at_once=_promising(climb.seen) and bench.threads > 1)
    if not isinstance(found, Measured):
        return found, ""
    climb.measured = found
    speedup, floor = found.timing.speedup, found.timing.noise_floor
    given_up = f"; given up early: {found.given_up}" if found.given_up else ""
    in_the_open = f"; timed without walls: {open_}" if (open_ := bench.known.get(OPEN_AIR)) else ""
    first = f"; at first {_interval(found.first.speedup)}" if found.first else ""
    why = f"; no win: {short}" if (short := shortfall(found.timing)) and not given_up else ""
    return None, f"{_interval(speedup)}, noise floor {floor:.1%}{first}{why}{given_up}{in_the_open}"


def _interval(found: Interval) -> str:
    return f"{found.ratio:.3f}x [{found.low:.3f}, {found.high:.3f}]"


def _sanitizer(climb: Climb, bench: Bench) -> tuple[Rejection | None, str]:
    """Last of what may refuse, since it takes longest: it is for what would land."""
    if climb.timing is not None and not climb.win:
        return None, "not run: no win, so nothing to land"
    return sanitize(climb.harness, climb.file, bench, climb.scratch)


def profile_rung(climb: Climb, bench: Bench) -> tuple[Rejection | None, str]:
    """What holds it back. Counters are for what would land: they take the GPU for as long as a timed run does."""
    assert climb.built is not None
    built, contract, environment = climb.built, climb.harness.contract, bench.environment
    found, trouble = profile(built.launches, climb.timing, contract, environment, library=built.is_library), ""
    if climb.win:
        found, trouble = with_counts(found, climb.harness, climb.file, bench, climb.scratch)
    climb.profile = found
    share = "" if found.roofline_fraction is None else f", {found.roofline_fraction:.0%} of the roofline"
    evidence = f": {found.evidence}" if found.evidence else ""
    no_counters = f"; no counters: {trouble}" if trouble else ""
    return None, f"{found.bottleneck}{share}{' (estimated)' if found.estimated else ''}{evidence}{no_counters}"


def _passed(climb: Climb) -> Passed:
    assert climb.numerics is not None
    assert climb.profile is not None
    first = climb.measured.first if climb.measured else None
    return Passed(numerics=climb.numerics, profile=climb.profile, timing=climb.timing, win=climb.win, first=first)
