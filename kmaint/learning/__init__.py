"""What finished attempts teach: figures of merit, data sets to train on, and an environment to train in."""

from kmaint.learning.outcome import Funnel, Outcome, funnel, outcome_of
from kmaint.learning.spending import spent
from kmaint.learning.statistics import Statistics, statistics
from kmaint.learning.trajectories import Dataset, Trajectories, trajectories

__all__ = [
    "Dataset",
    "Funnel",
    "Outcome",
    "Statistics",
    "Trajectories",
    "funnel",
    "outcome_of",
    "spent",
    "statistics",
    "trajectories",
]
