"""A run while it goes on: a view that is drawn anew in place, or a line for each verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from kmaint.console import DONE, NO, View, print_lines
from kmaint.records.evaluation import Evaluation
from kmaint.show.harnesses import verdict_line
from kmaint.show.learning import funnel_line, money

if TYPE_CHECKING:
    from kmaint.workflow import Glimpse

MOST_VERDICTS = 10
"""The last ones, as the view lists them; a pipe gets all."""


def watch(glimpses: Iterable[Glimpse]) -> int:
    """Show each glimpse until there are no more; the answer is no where the run has no winner then."""
    seen: set[str] = set()
    last = None
    with View() as view:
        for last in glimpses:
            if view.live:
                view(lines_of(last), ("candidate", "edit", "verdict"), _rows(last))
            else:
                fresh = [one for one in last.run.evaluations if one.candidate.id not in seen]
                print_lines(f"{one.candidate.id} ({one.candidate.plan.edit}): {verdict_line(one)}" for one in fresh)
                seen |= {one.candidate.id for one in fresh}
    if last is None:
        return NO
    if not view.live:
        print_lines([_standing(last)])
    return DONE if last.run.winner else NO


def lines_of(seen: Glimpse) -> Iterator[str]:
    """What the view says above the verdicts."""
    yield f"{seen.run.id}  {seen.run.kernel}"
    yield _standing(seen)
    yield f"budget   {_left(seen)}"
    for one in seen.under_way:
        yield f"now      {one.candidate} ({one.edit}): {one.doing}, {one.seconds:.0f} s"
    if seen.best:
        best = seen.best.candidate
        yield f"best     {best.id} ({best.plan.edit}): {verdict_line(seen.best)}"
    yield f"funnel   {funnel_line(seen.run.evaluations)}"


def _standing(seen: Glimpse) -> str:
    if seen.run.state == "running":
        if seen.at_work:
            return f"running  by {seen.run.provider}, {seen.run.strategy}"
        return "stopped  no process works on it; the command that began it goes on where it was"
    return f"{seen.run.state}  after {len(seen.run.evaluations)} candidates"


def _left(seen: Glimpse) -> str:
    """What was used of each budget; money and tokens where models were asked."""
    budget, spent, parts = seen.run.budget, seen.spent, []
    of = "" if budget.candidates is None else f" of {budget.candidates}"
    parts.append(f"{spent.candidates}{of} candidates")
    of = "" if budget.minutes is None else f" of {budget.minutes:g}"
    parts.append(f"{seen.minutes:.1f}{of} minutes")
    if spent.usage.requests:
        parts += [f"{spent.usage.tokens:,} tokens", f"money {money(spent.usage.cost_usd)}"]
    return ", ".join(parts)


def _rows(seen: Glimpse) -> list[tuple[str, str, str]]:
    last: list[Evaluation] = list(seen.run.evaluations)[-MOST_VERDICTS:]
    return [(one.candidate.id, one.candidate.plan.edit, verdict_line(one)) for one in reversed(last)]
