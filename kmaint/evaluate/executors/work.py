"""What an executor is given, and the one loop by which every executor hands candidates out."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from kmaint.records.evaluation import Candidate, Evaluation
from kmaint.records.harness import Harness

LOOK_AGAIN_S = 0.2
"""How often to ask for a candidate that another process has: it may be judged by then, or its process killed."""


class Claims(Protocol):
    """Who judges what, where several processes share a run. Asked from the thread that takes the evaluations only."""

    def claim(self, candidate: Candidate) -> Evaluation | Literal["ours", "theirs"]:
        """The candidate's verdict, where it has one; else whether it is ours to judge now."""

    def release(self, candidate: Candidate) -> None:
        """Let go of what was ours and has no verdict."""


class NoClaims:
    """For a process that shares its work with nobody."""

    def claim(self, candidate: Candidate) -> Literal["ours"]:
        del candidate
        return "ours"

    def release(self, candidate: Candidate) -> None:
        """Nobody waits for it."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Candidates of one harness. `known` are verdicts that stand, by candidate id: they are given back as they are."""

    harness: Harness
    candidates: tuple[Candidate, ...]
    known: Mapping[str, Evaluation] = field(default_factory=dict)
    claims: Claims = field(default_factory=NoClaims)


class Executor(Protocol):
    """Takes candidates through the gate."""

    def judge(self, work: Work) -> Iterator[Evaluation]:
        """Yield each candidate's evaluation once, as it finishes; whoever takes it records it before the next."""


class Places(Protocol):
    """Where candidates are judged, several at once."""

    @property
    def free(self) -> int:
        """How many more can be started now."""

    def start(self, candidate: Candidate) -> None: ...

    def finished(self, within_s: float | None) -> Evaluation | None:
        """The next one to finish; None where none did within that time. Raises what judging raised."""


def hand_out(work: Work, places: Places) -> Iterator[Evaluation]:
    """Each candidate to a free place when it is ours, until every one has its verdict, from here or from elsewhere."""
    waiting = deque({candidate.id: candidate for candidate in work.candidates}.values())
    ours: dict[str, Candidate] = {}
    with contextlib.ExitStack() as unfinished:
        unfinished.callback(_release, work.claims, ours)
        while waiting or ours:
            theirs: deque[Candidate] = deque()
            while waiting and places.free:
                candidate = waiting.popleft()
                said = work.known.get(candidate.id) or work.claims.claim(candidate)
                if isinstance(said, Evaluation):
                    yield said
                elif said == "theirs":
                    theirs.append(candidate)
                else:
                    ours[candidate.id] = candidate
                    places.start(candidate)
            waiting.extend(theirs)
            found = places.finished(LOOK_AGAIN_S if theirs else None) if ours or theirs else None
            if found is not None:
                yield found
                del ours[found.candidate.id]


def _release(claims: Claims, ours: Mapping[str, Candidate]) -> None:
    for candidate in ours.values():
        claims.release(candidate)
