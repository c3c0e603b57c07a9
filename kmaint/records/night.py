"""One night over an upstream: what changed since the last one, what was tried, and how each step ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kmaint.records.kernel import Release

StepName = Literal["upstream", "scan", "changes", "recheck", "optimize", "drafts"]
StepState = Literal["done", "nothing", "skipped", "failed"]
"""nothing: there was nothing to do; skipped: a step that it needs failed."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The text of every kernel of a tree, as a digest by id, decorators included."""

    release: Release
    kernels: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Move:
    """A kernel whose text stands unchanged under another id."""

    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What became of the kernels between two snapshots, by id; what only moved is neither added nor removed."""

    since: Release
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    moved: tuple[Move, ...]

    @property
    def any(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.moved)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A kernel that was taken up: `state` is its run's or its extraction's, or `failed` where it ended in an error.

    `text` is the digest of what it was then. `ratio` is there where a win was timed, `log` where the fault was ours.
    """

    kernel: str
    text: str
    state: str
    reason: str = ""
    run: str | None = None
    branch: str | None = None
    patch: str | None = None
    report: str | None = None
    ratio: float | None = None
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """How one step ended, in one line, with what to do next where it failed. `log` is a traceback of our own fault."""

    name: StepName
    state: StepState
    said: str
    seconds: float
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Night:
    """Everything of one night so far; a step that is not among `steps` has not ended yet."""

    id: str
    framework: str
    began: str
    tree: str = ""
    release: Release | None = None
    steps: tuple[Step, ...] = ()
    changes: Changes | None = None
    taken: tuple[Taken, ...] = ()

    def ended(self, name: StepName) -> Step | None:
        """How the step ended, if it did."""
        return next((step for step in self.steps if step.name == name), None)
