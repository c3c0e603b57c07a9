"""One attempt with all that is known of it, fit to leave the machine that made it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kmaint.agent.chain import original
from kmaint.learning.preferring import reason
from kmaint.learning.reward import Reward, reward_of
from kmaint.learning.scrubbing import cleaned
from kmaint.records.evaluation import Code, Evaluation, Passed, Plan, Profile, speedup
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.records.timing import Interval


@dataclass(frozen=True, kw_only=True)
class Step:
    """One edit on the way from the original to a candidate."""

    candidate: str
    edit: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """The gate's verdict: `win` where it beats the original, `reason` and `codes` empty where it passed."""

    kind: str
    win: bool
    reason: str
    codes: tuple[Code, ...]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One candidate of one run: what it was made from, why, what it is, and what became of it.

    `before` is the parent's source with its profile, and the original's where `parent` is None; `failure_before` says
    why the gate turned the parent down, where this is a repair. `file` is the name under which a harness has either
    source. `lineage` leads from the first edit of the original to this one. Where nothing was timed, `speedup` is None,
    and `device` where there was no GPU.
    """

    run: str
    step: int
    candidate: str
    parent: str | None
    lineage: tuple[Step, ...]
    kernel: str
    entry: str
    framework: str
    release: str | None
    licence: str
    language: str
    file: str
    device: str | None
    arch: str
    provider: str
    plan: Plan
    before: str
    after: str
    profile_before: Profile | None
    failure_before: str
    profile_after: Profile | None
    verdict: Said
    speedup: Interval | None
    reward_parts: Reward


def attempts(run: Run, harness: Harness, secrets: frozenset[str]) -> Iterator[Attempt]:
    """The run's candidates in the order they were judged; prose is cleaned, sources are as they were judged."""
    judged = {one.candidate.id: one for one in run.evaluations}
    first = original(harness)
    for step, one in enumerate(run.evaluations, start=1):
        parent = judged.get(one.candidate.parent or "")
        yield Attempt(
            run=run.id,
            step=step,
            candidate=one.candidate.id,
            parent=one.candidate.parent,
            lineage=tuple(
                Step(candidate=edited.id, edit=cleaned(edited.plan.edit, secrets))
                for edited in run.lineage(one.candidate)
            ),
            kernel=run.kernel,
            entry=harness.entry,
            framework=harness.provenance.framework,
            release=harness.provenance.version or harness.provenance.commit,
            licence=harness.provenance.licence,
            language=harness.language,
            file=harness.replaced.name,
            device=one.environment.device,
            arch=one.environment.arch,
            provider=one.candidate.provider,
            plan=_plan(one, secrets),
            before=parent.candidate.source if parent else first,
            after=one.candidate.source,
            profile_before=_profile(parent) if parent else run.baseline,
            failure_before=cleaned(_failure(parent), secrets) if parent else "",
            profile_after=_profile(one),
            verdict=_said(one, secrets),
            speedup=speedup(one),
            reward_parts=reward_of(one),
        )


def _plan(evaluation: Evaluation, secrets: frozenset[str]) -> Plan:
    plan = evaluation.candidate.plan
    return replace(plan, edit=cleaned(plan.edit, secrets), why=cleaned(plan.why, secrets))


def _profile(evaluation: Evaluation) -> Profile | None:
    return evaluation.verdict.profile if isinstance(evaluation.verdict, Passed) else None


def _failure(evaluation: Evaluation) -> str:
    return "" if isinstance(evaluation.verdict, Passed) else reason(evaluation)


def _said(evaluation: Evaluation, secrets: frozenset[str]) -> Said:
    verdict = evaluation.verdict
    if isinstance(verdict, Passed):
        return Said(kind=verdict.kind, win=verdict.win, reason="", codes=())
    return Said(kind=verdict.kind, win=False, reason=cleaned(verdict.reason, secrets), codes=verdict.codes)
