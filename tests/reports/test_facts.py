"""Names and texts of a page: what a run took beside what it was allowed, and what kind of patch came of it."""

from dataclasses import replace

from kmaint.records.counters import Counters, KernelCounters
from kmaint.records.evaluation import Passed
from kmaint.records.run import Budget, Run
from kmaint.records.spent import Spent
from kmaint.records.timing import Interval
from reports.facts import cost
from reports.page import Account, render
from tests.reports.test_page import words


def test_the_patch_is_told_with_its_kind_and_every_check(account: Account) -> None:
    text = words(render(account))
    assert "kind guarded: A variant stands beside the original" in text
    assert "why this kind it wins on T64 and loses on T4096" in text
    assert "passed outside the guard 9 cases go where they should not run lint no .pre-commit-config.yaml" in text


def test_the_cost_stands_beside_what_was_allowed_and_an_unknown_price_is_no_number(account: Account) -> None:
    text = words(render(account))
    assert (
        "candidates 8 judged; 40 allowed time 12.2 min in all, 7.5 min of it on the device; 20.0 min allowed "
        "tokens 50,500 in 3 requests money unknown answers of no use 1"
    ) in text


def test_what_has_no_limit_or_is_not_known_says_no_number_for_it(won: Run) -> None:
    free = replace(won, budget=Budget(candidates=None, minutes=None, cost_usd=2.5))
    assert [(fact.name, fact.text) for fact in cost(free, Spent(candidates=1, wall_minutes=None))] == [
        ("candidates", "1 judged"),
        ("time", "time unknown in all, 0.0 min of it on the device"),
        ("tokens", "0"),
        ("money", "$0.00; $2.50 allowed"),
    ]


def test_what_was_counted_is_told_of_both_and_a_run_without_has_no_such_section(account: Account, won: Run) -> None:
    assert "What the hardware counted" not in words(render(account))
    assert won.baseline is not None
    counters = Counters(workload="T64", kernels=(KernelCounters(kernel="k", launches=1, dram_percent=81.0),))
    before = replace(won.baseline, bottleneck="memory", evidence="DRAM at 81 % of its peak", counters=counters)
    counted = replace(won, baseline=before)
    text = words(render(replace(account, run=counted)))
    assert "What the hardware counted original: memory DRAM at 81 % of its peak original, counted" in text
    assert "k: DRAM 81 %" in text


def test_a_win_is_told_with_the_measurement_that_it_confirmed(account: Account, won: Run) -> None:
    assert "measured at first" not in words(render(account))
    best = won.winner
    assert best is not None and isinstance(best.verdict, Passed) and best.verdict.timing is not None
    first = replace(best.verdict.timing, speedup=Interval(ratio=1.16, low=1.151, high=1.17))
    confirmed = replace(best, verdict=replace(best.verdict, first=first))
    run = replace(won, evaluations=tuple(confirmed if one is best else one for one in won.evaluations))
    text = words(render(replace(account, run=run)))
    assert "1.130–1.147 95 % interval 1.160× (1.151–1.170) measured at first" in text
