"""Who does what in the chain: a role is a prompt that shows only what it needs, and a typed answer that is checked."""

from kmaint.agent.roles.coder import coder
from kmaint.agent.roles.judge import judge
from kmaint.agent.roles.planner import planner
from kmaint.agent.roles.repair import repair

__all__ = ["coder", "judge", "planner", "repair"]
