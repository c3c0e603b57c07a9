"""What a target project asks of a change, as data: one file a project in policies/, so that a new one needs no code."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from packaging.version import InvalidVersion, Version

from kmaint import wire
from kmaint.records.evaluation import Evaluation, speedup
from kmaint.records.harness import Harness
from kmaint.records.pull_request import CheckName

TITLE_LIMIT = 72
"""Characters of a commit's subject that every list of commits still shows."""

Part = Literal["summary", "changes", "numerics", "speed", "tests", "landing", "evidence", "limits", "checklist"]
"""What a section of a pull-request text is filled with."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading of the project's template, and what kmaint has to say under it."""

    heading: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class Template:
    """A pull-request template, in use from release `since` on (every release, where that is empty)."""

    since: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """Something that a project wants of who proposes a change; with a `check`, it is to be proven, not promised."""

    text: str
    check: CheckName | None = None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A project's rules. `title_prefix` opens commit subjects and titles."""

    project: str
    repository: str
    """owner/name on the forge; empty where kmaint knows none."""
    base: str
    """The branch that changes go to."""
    title_prefix: str
    disclosure: str
    """What is said of machine assistance, with {provider} and {run} filled in."""
    templates: tuple[Template, ...]
    """Oldest first."""
    asks: tuple[Ask, ...]
    most_lines: int | None = None
    """Lines added and removed, beyond which the project calls a change large."""

    @property
    def required(self) -> tuple[Ask, ...]:
        return tuple(ask for ask in self.asks if ask.check)


def policy_of(framework: str) -> Policy:
    """The framework's policy; one without demands of its own where kmaint knows none."""
    folder = resources.files("kmaint") / "policies"
    file = folder / f"{framework}.toml"
    text = (file if file.is_file() else folder / "any.toml").read_text()
    return wire.load(Policy, tomllib.loads(text))


def template_for(policy: Policy, version: str | None, *, existing: str = "") -> Template:
    """The template to fill: the one with most headings in the tree's own (`existing`), else that of the release."""
    fitting = [t for t in policy.templates if sum(f"\n## {s.heading}" in f"\n{existing}" for s in t.sections) > 1]
    if fitting:
        return fitting[0]
    return [t for t in policy.templates if not t.since or _is_at_least(version, t.since)][-1]


def title_for(harness: Harness, winner: Evaluation) -> str:
    """The fullest of several titles that fits; a ratio stands in it only where one was measured and won."""
    kernel, measured = harness.kernel.strip("_"), speedup(winner)
    if measured is None:
        wordings = [f"Change {kernel} (not timed)"]
    elif measured.low <= 1:
        wordings = [f"Change {kernel} (no win)"]
    else:
        faster = f"Speed up {kernel} {measured.ratio:.2f}x"
        wordings = [f"{faster} on {winner.environment.device}", faster, f"Speed up {kernel}"]
    prefix = policy_of(harness.provenance.framework).title_prefix
    titles = [f"{prefix}{wording}" for wording in wordings]
    return next((title for title in titles if len(title) <= TITLE_LIMIT), titles[-1][: TITLE_LIMIT - 1] + "…")


def _is_at_least(version: str | None, since: str) -> bool:
    """A tree that does not say its release counts as today's."""
    try:
        return version is None or Version(version) >= Version(since)
    except InvalidVersion:
        return True
