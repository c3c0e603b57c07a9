"""Who takes many candidates through the gate, and where: on this machine, or on a Ray cluster, by one protocol."""

from kmaint.evaluate.executors.best import RIVALS, ForTheBest
from kmaint.evaluate.executors.local import Local
from kmaint.evaluate.executors.work import Claims, Executor, Work

__all__ = ["RIVALS", "Claims", "Executor", "ForTheBest", "Local", "Work"]
