"""Candidates and what the gate says of them: one of seven verdicts; a number that was not measured is absent."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from kmaint.records.counters import Counters
from kmaint.records.timing import Interval, Timing

Dishonesty = Literal[
    "reused_output",
    "changed_after_return",
    "lazy_output",
    "stale_result",
    "phase_detection",
    "reference_read",
    "reference_fallback",
    "memory_scan",
    "tampered",
    "clock_disagrees",
    "hidden_thread",
    "hidden_process",
    "files_touched",
    "escape",
    "leaked_memory",
    "spoofed_result",
    "no_kernel_launched",
    "stream",
]
"""Codes of what gets a result or a time by other means than computing it: 'kmaint explain' says what each one names."""

Code = Literal[
    Dishonesty,
    "syntax",
    "signature",
    "forbidden_import",
    "compile_error",
    "too_large",
    "mismatch",
    "less_accurate",
    "mutated_input",
    "wrote_outside",
    "uninitialised",
    "aliased_output",
    "nondeterministic",
    "memcheck",
    "race",
    "graph_capture",
    "control_accepted",
    "signal",
    "exit",
    "exception",
    "timeout",
    "not_run",
    "looks_slower",
]
DISHONEST: frozenset[Code] = frozenset(get_args(Dishonesty))

RungName = Literal[
    "lint", "compile", "look", "interpreter", "device", "numerics", "integrity", "time", "sanitizer", "profile"
]
Bottleneck = Literal["memory", "latency", "compute", "occupancy", "imbalance", "library", "unknown"]
Sandboxed = Literal["bubblewrap", "landlock", "none"]
NumericalClass = Literal["bit-exact", "rounding-only"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One bottleneck and one edit, anchored to a span of the parent's source."""

    bottleneck: Bottleneck
    edit: str
    """Name of a transform or launch parameter, or the model's own words."""
    why: str
    anchor: tuple[int, int] | None = None
    """First and last line in the parent's source."""
    expected: float | None = None
    """Original over candidate as screening saw it: a rank among variants, not a measurement."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A whole kernel.py that claims to do what the original does. `id` is the sha256 of its source, cut to 12."""

    id: str
    source: str
    parent: str | None
    plan: Plan
    provider: str


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What a measurement was made on; `device` is None where there is no GPU."""

    device: str | None
    device_uuid: str | None
    arch: str
    driver: str | None
    python: str
    torch: str
    triton: str
    cuda: str | None
    platform: str
    multiprocessors: int | None
    l2_bytes: int | None
    memory_bandwidth_gbps: float | None
    """Measured by a large device-to-device copy in the same session, read plus written."""
    clocks_mhz: tuple[int, ...] = ()
    """SM clock at the start and at the end of the session."""
    sandbox: Sandboxed = "none"
    """What stood around the candidate's process."""
    sandbox_reason: str = ""
    """Why it was nothing stronger."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What the compiler says of one compiled kernel, for `arch`. Widths in bits, memory in bytes."""

    kernel: str
    arch: str
    registers: int
    shared_bytes: int
    spill_bytes: int
    load_bits: int
    """Widest global load in the SASS."""
    store_bits: int
    instructions: int
    num_warps: int
    num_stages: int
    workload: str


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One rung of the gate as climbed; `seconds` is wall time."""

    name: RungName
    passed: bool
    seconds: float
    detail: str = ""
    beside: bool = False
    """Climbed side by side with the one before it: their seconds overlap."""


def wall_s(rungs: Iterable[Rung], only: Collection[RungName] = get_args(RungName)) -> float:
    """Seconds of wall time in all, of some rungs or of `only` these: side by side those of the slowest count."""
    spent = [0.0]
    for rung in rungs:
        seconds = rung.seconds if rung.name in only else 0.0
        if rung.beside:
            spent[-1] = max(spent[-1], seconds)
        else:
            spent.append(seconds)
    return sum(spent)


@dataclass(frozen=True, kw_only=True)
class Numerics:
    """How a candidate's outputs differ from the original's over all workloads.

    Errors are against float64 where `oracle` is true, as a fraction of the row's scale; absent otherwise.
    """

    kind: NumericalClass
    oracle: bool
    original_error: float | None
    candidate_error: float | None
    max_difference: float
    not_judged: tuple[str, ...] = ()
    """Outputs that this machine cannot judge, with the reason."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What holds a kernel back. `estimated` is true when nothing was timed on a GPU."""

    bottleneck: Bottleneck
    estimated: bool
    resources: tuple[Resources, ...]
    roofline_fraction: float | None
    """Of the workloads together."""
    next_step: str
    bytes_per_program: float | None = None
    """What one program has to move of the largest workload's traffic; absent where the traffic is unknown."""
    counters: Counters | None = None
    """Absent where nobody asked for them, or the machine gives none."""
    evidence: str = ""
    """What of the counters `bottleneck` rests on, in a line; empty where it rests on compiler facts and times."""
    uncounted: Bottleneck | None = None
    """What compiler facts and times alone would call it, where there is evidence."""
    least_fraction: float | None = None
    """Of the timed workload that is furthest from the roofline; absent where any has no floor or no time."""
    device_s: float | None = None
    """How long taking it held the GPU: for counters, and of the original's own for times; absent where nothing did."""


@dataclass(frozen=True, kw_only=True)
class Passed:
    """Right, honest and, where `timing` is there, measured; `win` says whether it beats the original."""

    numerics: Numerics
    profile: Profile
    timing: Timing | None
    win: bool
    first: Timing | None = None
    """What looked like a win, where `timing` is the second measurement, which was to confirm it."""
    kind: Literal["passed"] = "passed"


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """Computes something else than the original does."""

    reason: str
    codes: tuple[Code, ...]
    log: str = ""
    kind: Literal["wrong"] = "wrong"


@dataclass(frozen=True, kw_only=True)
class NotBuilt:
    """Does not parse, keep the signature or compile for the target."""

    reason: str
    codes: tuple[Code, ...]
    log: str = ""
    kind: Literal["not_built"] = "not_built"


@dataclass(frozen=True, kw_only=True)
class Dishonest:
    """Gets its result or its time by other means than computing it."""

    reason: str
    codes: tuple[Code, ...]
    log: str = ""
    kind: Literal["dishonest"] = "dishonest"


@dataclass(frozen=True, kw_only=True)
class Crashed:
    """Ended the process that ran it."""

    reason: str
    codes: tuple[Code, ...]
    log: str = ""
    kind: Literal["crashed"] = "crashed"


@dataclass(frozen=True, kw_only=True)
class TimedOut:
    """Ran past its limit and was killed with its whole process group."""

    reason: str
    codes: tuple[Code, ...] = ("timeout",)
    log: str = ""
    kind: Literal["timed_out"] = "timed_out"


@dataclass(frozen=True, kw_only=True)
class Slower:
    """No win, or none beside a better one, by a first look: judged no further. Of its results no more is said than that
    the rungs which were climbed found nothing wrong."""

    reason: str
    codes: tuple[Code, ...] = ("looks_slower",)
    log: str = ""
    kind: Literal["slower"] = "slower"


Rejection = Wrong | NotBuilt | Dishonest | Crashed | TimedOut | Slower
Verdict = Passed | Rejection


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One candidate, what the gate said, how far it climbed, and on what machine."""

    candidate: Candidate
    verdict: Verdict
    rungs: tuple[Rung, ...]
    environment: Environment


def speedup(evaluation: Evaluation) -> Interval | None:
    """The measured speedup, or None where nothing was measured."""
    match evaluation.verdict:
        case Passed(timing=Timing(speedup=found)):
            return found
        case _:
            return None
