"""What is measured more than once: a win, since the best of many is partly luck, and what two clocks disagree on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kmaint.evaluate.bench import Bench
from kmaint.evaluate.timing.measuring import BATCH, Effort, Measured, measure
from kmaint.evaluate.timing.ratios import is_win
from kmaint.records.evaluation import Dishonest, Rejection
from kmaint.records.harness import Harness

AGAIN = 2
"""How often a comparison is made again on which the clocks disagree."""


def confirmed(harness: Harness, file: Path, bench: Bench, scratch: Path) -> Measured | Rejection:
    """As `measure`; a win is measured again in a new process on new data."""
    effort = Effort(most_blocks=BATCH) if bench.quick else Effort()
    return twice(lambda: convicted(lambda: measure(harness, file, bench, scratch, effort), bench), bench)


def twice(measured: Callable[[], Measured | Rejection], bench: Bench) -> Measured | Rejection:
    """What is measured; of a win what is measured then, which alone counts, with the first beside it."""
    first = measured()
    if bench.quick or not isinstance(first, Measured) or not is_win(first.timing):
        return first
    bench.progress("time, confirming")
    second = measured()
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
