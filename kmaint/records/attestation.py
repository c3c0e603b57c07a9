"""A person's word on a patch, given hunk by hunk."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """A piece of a diff as a person reads it: the header of its file, its lines, and the sha256 of both."""

    path: str
    header: str
    text: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one person said of one hunk. `patch` is the digest of the whole patch that the hunk was shown in."""

    reviewer: str
    patch: str
    hunk: str
    path: str
    yes: bool
    reason: str
    at: str


@dataclass(frozen=True, kw_only=True)
class SignOff:
    """The line that a person typed below a patch, letter by letter."""

    reviewer: str
    patch: str
    line: str
    at: str


@dataclass(frozen=True, kw_only=True)
class Attestation:
    """Where a patch stands with people: the last word of each on each hunk of exactly this patch."""

    patch: str
    hunks: tuple[Hunk, ...]
    answers: tuple[Answer, ...]
    sign_offs: tuple[SignOff, ...]

    @property
    def refusals(self) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.answers if not answer.yes)

    @property
    def reviewers(self) -> tuple[str, ...]:
        """Who said yes to every hunk, in the order of their answers; nobody, while anyone's no stands."""
        said = dict.fromkeys(answer.reviewer for answer in self.answers)
        return () if self.refusals else tuple(one for one in said if not self.left(one))

    @property
    def sign_off(self) -> SignOff | None:
        """The line of one who attested."""
        return next((one for one in self.sign_offs if one.reviewer in self.reviewers), None)

    @property
    def reviewer(self) -> str:
        """Who stands behind the patch: who signed it off, else who attested first; empty where nobody did."""
        return self.sign_off.reviewer if self.sign_off else next(iter(self.reviewers), "")

    def left(self, reviewer: str) -> list[Hunk]:
        """The hunks that the person has not said yes to yet."""
        agreed = {answer.hunk for answer in self.answers if answer.reviewer == reviewer and answer.yes}
        return [hunk for hunk in self.hunks if hunk.digest not in agreed]
