"""Figures of merit of many runs: what they cost, how far their candidates got, and what k attempts would have given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kmaint.learning.estimators import best_of_k, geometric_mean, pass_at_k, share_above
from kmaint.learning.outcome import Funnel, funnel, outcome_of
from kmaint.records.evaluation import Evaluation, Passed, Slower, speedup
from kmaint.records.run import Run, RunState
from kmaint.records.spent import Spent
from kmaint.records.timing import Interval

THRESHOLDS = (1.0, 1.1, 1.25, 1.5, 2.0)
"""The p of fast_p."""

OWN_WORDS = "own words"
"""The kind of an edit that is no name: a model's sentence is like no other."""


@dataclass(frozen=True, kw_only=True)
class RunStatistics:
    """One run; `speedup` is that of its winner, where it was measured."""

    run: str
    kernel: str
    provider: str
    strategy: str
    state: RunState
    speedup: Interval | None
    spent: Spent
    funnel: Funnel


@dataclass(frozen=True, kw_only=True)
class AtK:
    """What k attempts at a kernel give, over the `kernels` that had so many.

    `passed` and `accepted` are probabilities, averaged; `speedup` is the expected best of k, as a geometric mean, where
    an attempt that was not accepted counts as 1, since the shipped code stays. The last two are None on no GPU, and
    `passed` where too few of the attempts were judged to the end.
    """

    k: int
    kernels: int
    passed: float | None
    accepted: float | None
    speedup: float | None


@dataclass(frozen=True, kw_only=True)
class Fast:
    """fast_p: shares whose speedup is more than p even at the lower end of its interval, failures in the denominator.

    `candidates` are those that were judged on a GPU, `kernels` those with a run on one, each by its best winner. None
    where there is none.
    """

    p: float
    candidates: float | None
    kernels: float | None


@dataclass(frozen=True, kw_only=True)
class Group:
    """The candidates of one provider, or those of one kind of edit."""

    name: str
    funnel: Funnel
    at_k: tuple[AtK, ...]


@dataclass(frozen=True, kw_only=True)
class PerWin:
    """What all runs took, failed ones too, over the number of wins; None where it is not known what they took."""

    candidates: float
    cost_usd: float | None
    tokens: float
    device_minutes: float
    wall_minutes: float | None


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """All that `kmaint stats` says. `wins` counts runs whose winner was measured; `spent` is of all runs together."""

    runs: tuple[RunStatistics, ...]
    wins: int
    spent: Spent
    per_win: PerWin | None
    funnel: Funnel
    at_k: tuple[AtK, ...]
    fast: tuple[Fast, ...]
    providers: tuple[Group, ...]
    edits: tuple[Group, ...]


def statistics(runs: Sequence[tuple[Run, Spent]]) -> Statistics:
    """Of the runs, in their order. Attempts at one kernel count together, whichever run they are of."""
    every = [(run.kernel, one) for run, _ in runs for one in run.evaluations]
    wins, all_spent = sum(_winning(run) is not None for run, _ in runs), sum((spent for _, spent in runs), Spent())
    return Statistics(
        runs=tuple(_of_run(run, spent) for run, spent in runs),
        wins=wins,
        spent=all_spent,
        per_win=_per_win(all_spent, wins) if wins else None,
        funnel=funnel(one for _, one in every),
        at_k=at_k(every),
        fast=tuple(_fast(p, [run for run, _ in runs]) for p in THRESHOLDS),
        providers=_groups(every, lambda one: one.candidate.provider),
        edits=_groups(every, kind_of_edit),
    )


def _per_win(spent: Spent, wins: int) -> PerWin:
    cost, minutes = spent.usage.cost_usd, spent.wall_minutes
    return PerWin(
        candidates=spent.candidates / wins,
        cost_usd=None if cost is None else cost / wins,
        tokens=spent.usage.tokens / wins,
        device_minutes=spent.device_minutes / wins,
        wall_minutes=None if minutes is None else minutes / wins,
    )


def kind_of_edit(evaluation: Evaluation) -> str:
    """The name of the transform or parameter, without the value it was given."""
    edit = evaluation.candidate.plan.edit
    return OWN_WORDS if " " in edit.strip() else edit.strip().partition("=")[0]


def at_k(attempts: Iterable[tuple[str, Evaluation]]) -> tuple[AtK, ...]:
    """For k = 1, 2, 4 and so on, as long as any kernel had so many attempts. Each attempt comes with its kernel."""
    kernels: dict[str, list[Evaluation]] = defaultdict(list)
    for kernel, one in attempts:
        kernels[kernel].append(one)
    most = max(map(len, kernels.values()), default=0)
    return tuple(_at(2**power, kernels) for power in range(most.bit_length()))


def _at(k: int, kernels: Mapping[str, Sequence[Evaluation]]) -> AtK:
    judged = [found for found in kernels.values() if len(found) >= k]
    timed = [shipped for found in judged if len(shipped := _shipped(found)) >= k]
    # Of what was left as slower nobody knows whether it is right.
    known = [[one for one in found if not isinstance(one.verdict, Slower)] for found in judged]
    passed = [
        pass_at_k(len(found), sum(isinstance(one.verdict, Passed) for one in found), k)
        for found in known
        if len(found) >= k
    ]
    accepted = [pass_at_k(len(found), sum(value > 1.0 for value in found), k) for found in timed]
    return AtK(
        k=k,
        kernels=len(judged),
        passed=sum(passed) / len(passed) if passed else None,
        accepted=sum(accepted) / len(accepted) if accepted else None,
        speedup=geometric_mean([best_of_k(found, k) for found in timed]) if timed else None,
    )


def _shipped(evaluations: Iterable[Evaluation]) -> list[float]:
    """What each attempt would leave in the framework: its speedup where it was accepted, else 1; unknown untimed."""
    known = [one for one in evaluations if _is_known(one)]
    return [found.ratio if outcome_of(one).accepted and (found := speedup(one)) else 1.0 for one in known]


def _is_known(evaluation: Evaluation) -> bool:
    """Whether it was judged where what passes is timed; elsewhere only the failures would be known."""
    return evaluation.environment.device is not None


def _fast(p: float, runs: Sequence[Run]) -> Fast:
    lows = [_low(one) for run in runs for one in run.evaluations if _is_known(one)]
    kernels = {run.kernel: 0.0 for run in runs if run.environment and run.environment.device}
    for run in runs:
        if run.kernel in kernels and (best := _winning(run)):
            kernels[run.kernel] = max(kernels[run.kernel], best.low)
    return Fast(
        p=p,
        candidates=share_above(lows, p) if lows else None,
        kernels=share_above(list(kernels.values()), p) if kernels else None,
    )


def _low(evaluation: Evaluation) -> float:
    found = speedup(evaluation)
    return found.low if found else 0.0


def _winning(run: Run) -> Interval | None:
    return speedup(run.winner) if run.winner and outcome_of(run.winner).accepted else None


def _of_run(run: Run, spent: Spent) -> RunStatistics:
    return RunStatistics(
        run=run.id,
        kernel=run.kernel,
        provider=run.provider,
        strategy=run.strategy,
        state=run.state,
        speedup=_winning(run),
        spent=spent,
        funnel=funnel(run.evaluations),
    )


def _groups(every: Sequence[tuple[str, Evaluation]], name: Callable[[Evaluation], str]) -> tuple[Group, ...]:
    """One group a name, those with most attempts first."""
    groups: dict[str, list[tuple[str, Evaluation]]] = defaultdict(list)
    for kernel, one in every:
        groups[name(one)].append((kernel, one))
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(Group(name=key, funnel=funnel(e for _, e in found), at_k=at_k(found)) for key, found in ordered)
