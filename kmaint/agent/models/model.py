"""What the chain needs of a model: one prompt in, one typed answer out, and what that took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from kmaint.records.exchange import Role, Usage

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Reply(Generic[Answer]):
    """What came back: `answer` is None where it was no such answer, and `fault` then says why. `text` is all of it.

    Nobody was `reached` where a server is down, turns us away, or is silent past the limit.
    """

    text: str
    answer: Answer | None
    usage: Usage
    fault: str = ""
    reached: bool = True


class Model(Protocol):
    """Answers one prompt with one request; it remembers nothing of those before."""

    @property
    def name(self) -> str:
        """As it stands in each exchange."""

    def ask(
        self, role: Role, prompt: str, answer: type[Answer], *, most_tokens: int | None, most_s: float | None
    ) -> Reply[Answer]:
        """One typed answer of at most so many tokens, waited for at most so many seconds; None is the usual limit."""
