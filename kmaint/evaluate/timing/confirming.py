"""What is measured more than once: a win, since the best of many is partly luck, and what two clocks disagree on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kmaint.evaluate.bench import Bench, side_by_side
from kmaint.evaluate.timing.measuring import Measured
from kmaint.evaluate.timing.ratios import is_win
from kmaint.evaluate.timing.session import BATCH, Effort
from kmaint.records.evaluation import Dishonest, Rejection

Measure = Callable[[Effort], Measured | Rejection]

AGAIN = 2
"""How often a comparison is made again on which the clocks disagree."""


def confirmed(measured: Measure, bench: Bench, *, at_once: bool = False) -> Measured | Rejection:
    """What is measured; of a win what is measured once more, in a new process on new data.

    `at_once` where a win is expected and there are processors for both: they make ready side by side, and are then
    timed one right after the other. Each call of `measured` needs a folder of its own then.
    """
    effort = Effort(most_blocks=BATCH) if bench.quick else Effort()
    return twice(lambda: convicted(lambda: measured(effort), bench), bench, at_once=at_once)


def twice(measured: Callable[[], Measured | Rejection], bench: Bench, *, at_once: bool = False) -> Measured | Rejection:
    """What is measured; of a win what is measured then, which alone counts, with the first beside it."""
    if at_once and not bench.quick:
        first, second = side_by_side(lambda _: measured(), range(2))
        return _confirmed_by(first, lambda: second)
    first = measured()
    if bench.quick:
        return first
    return _confirmed_by(first, lambda: _again(measured, bench))


def _again(measured: Callable[[], Measured | Rejection], bench: Bench) -> Measured | Rejection:
    bench.progress("time, confirming")
    return measured()


def _confirmed_by(first: Measured | Rejection, confirm: Callable[[], Measured | Rejection]) -> Measured | Rejection:
    if not isinstance(first, Measured) or not is_win(first.timing):
        return first
    second = confirm()
    return replace(second, first=first.timing) if isinstance(second, Measured) else second


def convicted(measured: Callable[[], Measured | Rejection], bench: Bench) -> Measured | Rejection:
    """What is measured; where two clocks disagree, what is measured again, since nobody's word is taken for a lie once.

    On a busy host one of 51 measurements of an original and its copy was accused so; a liar is accused each time.
    """
    found = measured()
    for _ in range(AGAIN):
        if not (isinstance(found, Dishonest) and found.codes == ("clock_disagrees",)):
            break
        bench.progress(f"time, again: two clocks disagreed: {found.reason}")
        found = measured()
    return found
