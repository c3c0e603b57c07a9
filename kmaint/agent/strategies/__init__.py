"""Where to look next: from which parents to work and how, most promising first; one file a strategy."""

from kmaint.agent.strategies.table import STRATEGIES, choose_strategy
from kmaint.agent.strategies.turn import Strategy, Turn

__all__ = ["STRATEGIES", "Strategy", "Turn", "choose_strategy"]
