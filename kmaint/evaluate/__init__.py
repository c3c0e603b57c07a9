"""The gate: is this candidate right, honest, faster? Measured code runs in children of the target interpreter only."""

from kmaint.evaluate.bench import Bench, open_bench, open_benches, survey
from kmaint.evaluate.gate import baseline, check
from kmaint.evaluate.kept_mutants import Kept
from kmaint.evaluate.mutants import cores, judge_mutants
from kmaint.evaluate.parity import hold
from kmaint.evaluate.screen import Screened, screen
from kmaint.evaluate.warm import warmed

__all__ = [
    "Bench",
    "Kept",
    "Screened",
    "baseline",
    "check",
    "cores",
    "hold",
    "judge_mutants",
    "open_bench",
    "open_benches",
    "screen",
    "survey",
    "warmed",
]
