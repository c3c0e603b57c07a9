"""The search for a faster variant: a deterministic chain that asks a provider for edits and the gate for verdicts."""

from kmaint.agent.chain import Session, improve
from kmaint.agent.session import open_session
from kmaint.agent.winner import choose_winner, lead

__all__ = ["Session", "choose_winner", "improve", "lead", "open_session"]
