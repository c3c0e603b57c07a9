"""What a proposer may be shown of verdicts and profiles: never the sizes, seeds and values that the gate drew.

Who knows them could answer those cases instead of computing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from kmaint import counted
from kmaint.agent.kinds import ruled_out
from kmaint.agent.lineage import descent
from kmaint.agent.proposal import Request
from kmaint.records.evaluation import Evaluation, NotBuilt, Passed, Profile, Rejection, Resources
from kmaint.records.lesson import Lesson
from kmaint.records.timing import Interval, Timing
from kmaint.records.workload import Json

LOG_LINES = 30
"""Of a log, from its end: there the cause stands."""

DIFF_LINES = 24
"""Of what a remembered win changed, from its beginning: a turn has several lessons, and a prompt is read whole."""

CASE = re.compile(r"Case\((?:[^()]|\([^()]*\))*\)")
FIELD = re.compile(r"(\w+)='([^']*)'")
NUMBERS = re.compile(r"[(\[]\s*-?\d+(?:\s*,\s*-?\d+)*\s*,?\s*[)\]]")
TENSOR = re.compile(r"tensor\((?:[^()]|\([^()]*\))*\)")
VALUES = re.compile(r" (?:is|has) [^;\n]+?, not [^;\n]+?(?= within| exactly|[;\n]|$)")
SHARE = re.compile(r"(\d+) of (\d+) elements")
SECRET = re.compile(r"seed|reproduce_failure|expected\b|torch\.equal", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One line of a run's history as a proposer sees it."""

    candidate: str
    parent: str
    edit: str
    bottleneck: str
    outcome: str


def attempts(history: Sequence[Evaluation]) -> list[Attempt]:
    """What was tried in this run and what became of it, in the order of the verdicts."""
    return [
        Attempt(
            candidate=one.candidate.id,
            parent=one.candidate.parent or "the original",
            edit=one.candidate.plan.edit,
            bottleneck=one.candidate.plan.bottleneck,
            outcome=outcome(one),
        )
        for one in history
    ]


def outcome(evaluation: Evaluation) -> str:
    """A verdict in a line."""
    match evaluation.verdict:
        case Passed(timing=Timing(speedup=speedup)):
            return f"right, {ratio(speedup)}"
        case Passed():
            rank = evaluation.candidate.plan.expected
            return "right, not timed" + (f"; {rank:.2f}x by estimate" if rank else "")
        case rejected:
            return f"{rejected.kind}: {reason_of(rejected)}"


def ratio(speedup: Interval) -> str:
    """Original over candidate, in words."""
    return f"{speedup.ratio:.2f}x the original's speed ({speedup.low:.2f} to {speedup.high:.2f})"


def reason_of(verdict: Rejection) -> str:
    """Why a candidate was turned down. A compiler knows nothing that was drawn, so its words stay whole."""
    return verdict.reason if isinstance(verdict, NotBuilt) else scrubbed(verdict.reason)


def log_tail(verdict: Rejection) -> str:
    """The end of a log, without what must not be known."""
    lines = [line for line in verdict.log.splitlines() if line.strip()]
    if not isinstance(verdict, NotBuilt):
        lines = [line for line in scrubbed("\n".join(lines)).splitlines() if not SECRET.search(line)]
    return "\n".join(lines[-LOG_LINES:])


def scrubbed(text: str) -> str:
    """The text without drawn cases, expected values and sizes: kinds of number, layouts and names stay."""
    text = CASE.sub(_case, text)
    text = TENSOR.sub("a tensor", text)
    text = VALUES.sub(" is not what the original gives", text)
    text = SHARE.sub(_share, text)
    return NUMBERS.sub("[..]", text)


def _case(found: re.Match[str]) -> str:
    kinds = ", ".join(value for _name, value in FIELD.findall(found.group()))
    return f"a case of {kinds}" if kinds else "a case"


def _share(found: re.Match[str]) -> str:
    wrong, of = int(found[1]), int(found[2])
    return f"{100 * wrong / of:.0f} % of the elements" if of else "elements"


def profile_lines(profile: Profile) -> list[str]:
    """A profile in lines, with what was not measured said to be an estimate."""
    known = "estimated, nothing was timed" if profile.estimated else "measured"
    lines = [f"bottleneck: {profile.bottleneck} ({known})"]
    if profile.evidence:
        lines.append(f"evidence: {profile.evidence}")
    if profile.roofline_fraction is not None:
        lines.append(f"of the roofline: {profile.roofline_fraction:.0%}")
    if profile.bytes_per_program is not None:
        lines.append(f"bytes that one program has to move: {profile.bytes_per_program:.0f}")
    compiled = [_resources_line(one) for one in profile.resources]
    counters = counted.lines(profile.counters) if profile.counters else []
    return [*lines, *counters, *compiled, f"in general: {profile.next_step}"]


def _resources_line(one: Resources) -> str:
    return (
        f"{one.kernel} on {one.workload}, {one.arch}: {one.registers} registers, {one.shared_bytes} B shared memory, "
        f"{one.spill_bytes} B spilled, loads of {one.load_bits} bits, stores of {one.store_bits} bits, "
        f"{one.instructions} instructions, {one.num_warps} warps, {one.num_stages} stages"
    )


def lesson_line(lesson: Lesson) -> str:
    """What an earlier run taught, in a line."""
    seen = f" ({lesson.agreeing} kernels agree)" if lesson.agreeing > 1 else ""
    of = f"on {lesson.operation}, {lesson.bottleneck}-bound, {lesson.arch}"
    if lesson.outcome == "win":
        how = "estimated" if lesson.estimated else "measured"
        return f"win {of}: {lesson.edit}, {lesson.gain or 1.0:.2f}x {how}{seen}: {lesson.why}"
    return f"trap {of}: {lesson.edit}, {', '.join(lesson.codes)}{seen}: {scrubbed(lesson.reason)}"


def lesson_text(lesson: Lesson) -> str:
    """The line, and under it what the edit changed where it won."""
    return "\n".join([lesson_line(lesson), *(f"    {line}".rstrip() for line in _won_by(lesson))])


def taught(lesson: Lesson) -> dict[str, Json]:
    """A lesson for programs: what the edit changed in place of the sources, and nothing that the gate drew."""
    said = asdict(replace(lesson, reason=scrubbed(lesson.reason)))
    return {name: said[name] for name in said if name not in ("slow", "fast")} | {"diff": _won_by(lesson)}


def _won_by(lesson: Lesson) -> list[str]:
    """A win as a unified diff of at most DIFF_LINES lines and a last one that counts the rest; nothing of a trap."""
    if lesson.outcome != "win" or not lesson.slow:
        return []
    diff = difflib.unified_diff(lesson.slow.splitlines(), lesson.fast.splitlines(), n=1, lineterm="")
    lines = list(diff)[2:]  # names of files there are none
    rest = len(lines) - DIFF_LINES
    return [*lines[:DIFF_LINES], f"... and {rest} lines more"] if rest > 0 else lines


def asking(request: Request) -> dict[str, list[str]]:
    """What a prompt for an edit says of its turn, in lines by the names that the prompts' files have for them."""
    return {
        "profile": profile_lines(request.parent.profile),
        "wishes": wishes(request),
        "excluded": [f"{kind}: {why}" for kind, why in ruled_out(request.parent.profile).items()],
        "lessons": [lesson_text(lesson) for lesson in request.lessons],
    }


def wishes(request: Request) -> list[str]:
    """What the strategy wants of this turn, where it does not leave that to the provider."""
    found = []
    if request.kinds is not None:
        found.append(f"an edit of this kind: {' or '.join(sorted(request.kinds))}")
    if request.partner is not None:
        line = reversed(descent(request.partner.id, request.history))
        had = "; ".join(f"{one.plan.edit} ({one.plan.why})" for one in line)
        found.append(f"what {request.partner.id} has and this one lacks, put onto this one: {had}")
    if request.besides:
        found.append(f"something else than {'; '.join(one.plan.edit for one in request.besides)}, proposed already")
    return found
