"""Models behind one small protocol, and the conversation with them: typed answers, or a fault that is written down."""

from kmaint.agent.models.asking import InvalidAnswer, Question, put
from kmaint.agent.models.model import Model, Reply

__all__ = ["InvalidAnswer", "Model", "Question", "Reply", "put"]
