"""The gate: is this candidate right, honest, faster? Measured code runs in children of the target interpreter only."""

from kmaint.evaluate.bench import Bench, open_bench, open_benches, survey
from kmaint.evaluate.bench.warm import warmed
from kmaint.evaluate.gate import check
from kmaint.evaluate.guarded import outside_as_shipped
from kmaint.evaluate.mutants.judging import cores, judge_mutants
from kmaint.evaluate.mutants.kept import Kept
from kmaint.evaluate.parity import hold
from kmaint.evaluate.profiling import baseline, count_source
from kmaint.evaluate.screen import Screened, screen

__all__ = [
    "Bench",
    "Kept",
    "Screened",
    "baseline",
    "check",
    "cores",
    "count_source",
    "hold",
    "judge_mutants",
    "open_bench",
    "open_benches",
    "outside_as_shipped",
    "screen",
    "survey",
    "warmed",
]
