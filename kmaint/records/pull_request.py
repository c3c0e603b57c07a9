"""A pull request on its way to a forge: what stands behind it, what is sent, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CheckName = Literal["duplicates", "linters", "framework_tests", "accuracy", "engine_benchmark", "sign_off"]
"""What a project can ask to be proven before it looks at a change."""


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """What proves a check: a line for the list of checks, and the text that it rests on, where there is one."""

    check: CheckName
    line: str
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Backing:
    """What stands behind a pull request besides its run. `missing` are the reasons why it must not be opened yet."""

    reviewer: str = ""
    exhibits: tuple[Exhibit, ...] = ()
    missing: tuple[str, ...] = ()
    raw_data: str = ""
    """Address of the run's record, with every sample."""
    fingerprint: str = ""

    @property
    def proven(self) -> frozenset[CheckName]:
        return frozenset(exhibit.check for exhibit in self.exhibits)


@dataclass(frozen=True, kw_only=True)
class Head:
    """A branch to push, at a commit. `ours` are the commits that earlier calls may have left there."""

    branch: str
    commit: str
    ours: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Draft:
    """All that is sent. `fork` is owner/name of where it goes, `project` of whom it is meant for in the end."""

    fork: str
    project: str
    base: str
    base_commit: str
    touched: dict[str, str]
    """Paths that the patch changes, each with git's id of its content at the base commit; empty where it adds it."""
    head: Head
    evidence: Head
    """The run's record, on a branch of its own without history."""
    title: str
    body: str
    marker: str
    """A line of the body by which a second call knows the first one's pull request."""


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A pull request as a forge has it; `address` is for a browser, or a path."""

    number: int
    address: str
    title: str
    body: str
    branch: str
    state: Literal["open", "closed"]


@dataclass(frozen=True, kw_only=True)
class Mention:
    """An open pull request that speaks of what a patch changes, and where it does."""

    pull_request: PullRequest
    where: str


@dataclass(frozen=True, kw_only=True)
class Search:
    """Who else is at it: how many open pull requests were read, of how many the files too, and which mention it."""

    project: str
    words: tuple[str, ...]
    read: int
    files_read: int
    mentions: tuple[Mention, ...]
