"""The search for a faster variant: a deterministic chain that asks a provider for edits and the gate for verdicts."""

from kmaint.agent.budget import budget_of
from kmaint.agent.chain import AWAITED, LEFT, Session, improve
from kmaint.agent.handoff import Handoff, Submission, read_plan, request_folder
from kmaint.agent.providers import model_of
from kmaint.agent.session import check_settings, open_session
from kmaint.agent.winner import choose_winner, lead, ranked

__all__ = [
    "AWAITED",
    "LEFT",
    "Handoff",
    "Session",
    "Submission",
    "budget_of",
    "check_settings",
    "choose_winner",
    "improve",
    "lead",
    "model_of",
    "open_session",
    "ranked",
    "read_plan",
    "request_folder",
]
