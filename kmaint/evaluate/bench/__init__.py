"""The target interpreter and its GPU: surveyed once, then asked through worker.py."""

from kmaint.evaluate.bench.asking import WORKER, Answer, Done, Failed, Lost, Request, ask, candidates_start, refer
from kmaint.evaluate.bench.bench import LIMITS_S, Bench
from kmaint.evaluate.bench.laying import laid_out, lay, with_more
from kmaint.evaluate.bench.opening import open_bench, open_benches, survey, visible_gpus
from kmaint.evaluate.bench.side_by_side import side_by_side
from kmaint.evaluate.bench.surroundings import FEW_QUEUES, environment_of, scratch_with, subjects
from kmaint.evaluate.bench.walls import OPEN_AIR, open_air, walls_for, walls_to_time

__all__ = [
    "FEW_QUEUES",
    "LIMITS_S",
    "OPEN_AIR",
    "WORKER",
    "Answer",
    "Bench",
    "Done",
    "Failed",
    "Lost",
    "Request",
    "ask",
    "candidates_start",
    "environment_of",
    "laid_out",
    "lay",
    "open_air",
    "open_bench",
    "open_benches",
    "refer",
    "scratch_with",
    "side_by_side",
    "subjects",
    "survey",
    "visible_gpus",
    "walls_for",
    "walls_to_time",
    "with_more",
]
