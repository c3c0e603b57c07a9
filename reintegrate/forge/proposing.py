"""A draft brought to a forge, so that calling again goes on where the last call ended and never opens a second one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from kmaint.errors import UsageError
from kmaint.records.pull_request import Draft, PullRequest, Search

BODY_LIMIT = 65_536
"""Characters that GitHub takes."""

Outcome = Literal["opened", "updated", "unchanged"]


class Forge(Protocol):
    """What a place for pull requests has to be able to do."""

    def search(self, project: str, words: Sequence[str]) -> Search:
        """The project's open pull requests that mention one of the words."""

    def moved(self, draft: Draft) -> tuple[str, ...]:
        """Files of the patch that are others on the base branch by now. An error where they share no history."""

    def push(self, draft: Draft, tree: Path) -> None:
        """The draft's branches, from the repository `tree`."""

    def find(self, draft: Draft) -> PullRequest | None:
        """The pull request of the draft's branch, else the open one that carries its marker."""

    def open(self, draft: Draft) -> PullRequest:
        """A new one, as a draft."""

    def update(self, found: PullRequest, draft: Draft) -> PullRequest:
        """The same one with the draft's title and text."""


def propose(forge: Forge, draft: Draft, tree: Path) -> tuple[PullRequest, Outcome]:
    """Push, then open or update. Whatever ends it half-way, the same call later does the rest.

    UsageError where a file that the patch touches changed on the base branch, where the text is too long, or where the
    win's pull request is of another branch, someone else's, or closed.
    """
    if len(draft.body) > BODY_LIMIT:
        raise UsageError(
            f"the text has {len(draft.body):,} characters without its folded parts; GitHub takes {BODY_LIMIT:,}",
            "shorten what was brought along with --evidence",
        )
    if late := forge.moved(draft):
        raise UsageError(
            f"{draft.fork}: {late[0]} changed on {draft.base} since {draft.base_commit[:12]}, where the patch starts",
            "bring a checkout up to date, see 'kmaint recheck TREE', and land the win there",
        )
    found = forge.find(draft)
    if found is not None:
        _refuse_foreign(found, draft)
    forge.push(draft, tree)
    if found is None:
        return forge.open(draft), "opened"
    if (found.title, found.body) == (draft.title, draft.body):
        return found, "unchanged"
    return forge.update(found, draft), "updated"


def _refuse_foreign(found: PullRequest, draft: Draft) -> None:
    if draft.marker not in found.body:
        raise UsageError(
            f"{found.address} is of branch {draft.head.branch} and not kmaint's: it lacks the line {draft.marker}",
            "put that line back, or land the run on another branch with 'kmaint reintegrate --branch'",
        )
    if found.branch != draft.head.branch:
        raise UsageError(
            f"{found.address} proposes the same win from branch {found.branch}",
            f"close it to have {draft.head.branch} proposed, or land the run on that branch again",
        )
    if found.state == "closed":
        raise UsageError(
            f"{found.address} was closed, which is someone's answer",
            "reopen it to have it updated, or land the run on another branch with 'kmaint reintegrate --branch'",
        )
