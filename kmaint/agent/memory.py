"""What earlier runs taught, on this kernel and on others: wins and traps, drawn from the gate's verdicts each time.

Nothing is remembered that no verdict says, so there is no second truth to go stale; a file of lessons carries them
between machines.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kmaint import wire
from kmaint.agent.operations import operation_of
from kmaint.agent.winner import lead
from kmaint.errors import UsageError
from kmaint.folder import write_text
from kmaint.records.evaluation import Bottleneck, Code, Evaluation, Passed, Profile, Slower
from kmaint.records.lesson import Lesson
from kmaint.records.run import Run

WORTH = 1.01
"""A step has to gain so much to teach a win, and lose so much to teach that it is slower."""

NOT_THE_EDIT: frozenset[Code] = frozenset({"not_run", "control_accepted"})
"""Codes that speak of the machine or the harness, and so teach nothing of an edit."""

MOST = 12
"""Lessons for one turn: a prompt is read whole."""

TRIED_IN_VAIN = math.log(WORTH)
"""What a trap weighs against wins. How slow it was does not matter: it costs a candidate, and is never kept."""


def lessons_of(run: Run, original: str) -> Iterator[Lesson]:
    """Each conclusion of a run, in the order of its verdicts; `original` is the source that it began with."""
    judged = {one.candidate.id: one for one in run.evaluations}
    for one in run.evaluations:
        ancestor = judged.get(one.candidate.parent or "")
        while ancestor is not None and not isinstance(ancestor.verdict, Passed):
            ancestor = judged.get(ancestor.candidate.parent or "")
        if ancestor is None and run.baseline is None:
            continue  # what held the original back was not found out
        lesson = Lesson(
            outcome="trap",
            operation=operation_of(run.kernel),
            arch=one.environment.arch,
            bottleneck=_profile(ancestor, run).bottleneck,
            edit=one.candidate.plan.edit,
            why=one.candidate.plan.why,
            kernel=run.kernel,
            slow=ancestor.candidate.source if ancestor else original,
            fast=one.candidate.source,
        )
        concluded = _concluded(lesson, one, ancestor)
        if concluded is not None:
            yield concluded


def _profile(ancestor: Evaluation | None, run: Run) -> Profile:
    if ancestor is not None and isinstance(ancestor.verdict, Passed):
        return ancestor.verdict.profile
    assert run.baseline is not None  # asked before
    return run.baseline


def _concluded(lesson: Lesson, one: Evaluation, ancestor: Evaluation | None) -> Lesson | None:
    """The lesson with its outcome; None where the verdict says nothing of the edit."""
    verdict = one.verdict
    if not isinstance(verdict, Passed):
        # One that looks slower than the original may still be faster than what it was made from.
        behind = isinstance(verdict, Slower) and ancestor is not None and (lead(ancestor) or 0.0) < 1.0
        known = not NOT_THE_EDIT & set(verdict.codes) and not behind
        return replace(lesson, codes=verdict.codes, reason=verdict.reason) if known else None
    after, before = lead(one), lead(ancestor) if ancestor else 1.0
    if after is None or before is None:
        return None
    gain = after / before
    timed = verdict.timing is not None and (ancestor is None or _is_timed(ancestor))
    lesson = replace(lesson, gain=gain, estimated=not timed)
    if gain >= WORTH and (verdict.win or verdict.timing is None):
        return replace(lesson, outcome="win")
    if gain <= 1 / WORTH:
        return replace(lesson, codes=("slower",), reason=f"{gain:.2f}x of what it was made from")
    return replace(lesson, codes=("no_win",), reason=_no_win(verdict, gain))


def _is_timed(one: Evaluation) -> bool:
    return isinstance(one.verdict, Passed) and one.verdict.timing is not None


def _no_win(verdict: Passed, gain: float) -> str:
    slowest = min(verdict.timing.workloads, key=lambda one: one.speedup.ratio, default=None) if verdict.timing else None
    if gain < WORTH or slowest is None:
        return "neither faster nor slower"
    return f"{gain:.2f}x in all, and {slowest.speedup.ratio:.2f}x at {slowest.workload}"


def recall(
    lessons: Sequence[Lesson], *, operation: str, arch: str, bottleneck: Bottleneck, most: int = MOST
) -> tuple[Lesson, ...]:
    """What is known of each edit, from as near as it is known: one example of each outcome, most agreed upon first.

    Nearest are the same operation, architecture and bottleneck, then the same operation, then the same bottleneck; what
    a nearer case says of an edit is not mixed with what a farther one does.
    """
    near = [one for one in lessons if one.operation == operation]
    exact = [one for one in near if (one.arch, one.bottleneck) == (arch, bottleneck)]
    alike = [one for one in lessons if one.bottleneck == bottleneck]
    found: dict[str, list[Lesson]] = {}
    for level in (exact, near, alike):
        examples = _examples([one for one in level if one.edit not in found])
        for example in examples:
            found.setdefault(example.edit, []).append(example)
    return tuple([one for examples in found.values() for one in examples][:most])


def _examples(lessons: Sequence[Lesson]) -> list[Lesson]:
    """A typical one of those with one edit and outcome, and how many kernels agree with it; most agreed upon first."""
    groups: dict[tuple[str, str], list[Lesson]] = {}
    for one in lessons:
        groups.setdefault((one.edit, one.outcome), []).append(one)
    found = [replace(_typical(group), agreeing=len({one.kernel for one in group})) for group in groups.values()]
    return sorted(found, key=lambda one: (one.agreeing, not one.estimated, one.gain or 0.0), reverse=True)


def _typical(lessons: Sequence[Lesson]) -> Lesson:
    """The one with the median gain, of the measured ones where there are any."""
    measured = [one for one in lessons if not one.estimated] or lessons
    return sorted(measured, key=lambda one: one.gain or 0.0)[len(measured) // 2]


def weights(lessons: Iterable[Lesson]) -> Mapping[str, float]:
    """For each edit, what trying it is worth by what is recalled: a logarithm of a ratio, below 0 for a trap."""
    says: dict[str, list[tuple[int, float]]] = {}
    for one in lessons:
        worth = math.log(one.gain) if one.outcome == "win" and one.gain else -TRIED_IN_VAIN
        says.setdefault(one.edit, []).append((one.agreeing, worth))
    return {edit: sum(n * worth for n, worth in found) / sum(n for n, _ in found) for edit, found in says.items()}


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One line of a file of lessons."""

    schema: Literal["kmaint.lesson/1"]
    lesson: Lesson


def read_lessons(file: Path) -> list[Lesson]:
    """The lessons of a file, in its order. UsageError names the line that is none."""
    if not file.is_file():
        raise UsageError(f"{file}: no such file of lessons", "'kmaint memory --export FILE' writes one")
    found = []
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        try:
            found.append(wire.load(_Line, json.loads(line)).lesson)
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise UsageError(
                f"{file}:{number}: not a lesson: {reason}", "each line is one of kmaint.lesson/1"
            ) from error
    return found


def write_lessons(file: Path, lessons: Sequence[Lesson]) -> int:
    """Add to a file what it does not hold yet; how many those are. The file is put in place whole."""
    held = read_lessons(file) if file.is_file() else []
    merged = distinct([*held, *lessons])
    lines = [wire.text(_Line(schema="kmaint.lesson/1", lesson=one)) for one in merged]
    write_text(file, "".join(f"{line}\n" for line in lines))
    return len(merged) - len(held)


def distinct(lessons: Iterable[Lesson]) -> list[Lesson]:
    """Each once, where a file was exported from runs that are here as well."""
    return list({wire.digest(one): one for one in lessons}.values())
