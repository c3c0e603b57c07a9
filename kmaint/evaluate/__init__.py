"""The gate: is this candidate right, honest, faster? Measured code runs in children of the target interpreter only."""

from kmaint.evaluate.bench import Bench, open_bench, open_benches, survey
from kmaint.evaluate.gate import baseline, check
from kmaint.evaluate.parity import hold
from kmaint.evaluate.screen import Screened, screen
from kmaint.evaluate.warm import warmed

__all__ = ["Bench", "Screened", "baseline", "check", "hold", "open_bench", "open_benches", "screen", "survey", "warmed"]
