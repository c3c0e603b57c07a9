"""The types of the roles' answers: their descriptions are what a model reads of them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from kmaint.agent.kinds import Named
from kmaint.agent.proposal import Decision
from kmaint.records.evaluation import Bottleneck


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlanAnswer(_Answer):
    """One bottleneck, and one edit that addresses it."""

    bottleneck: Bottleneck = Field(description="what holds the kernel back, in the profile's words")
    edit: str = Field(min_length=3, max_length=120, description="the one edit, as a short name of it")
    kind: Named | None = Field(default=None, description="which of the kinds of edit it is; left out where none fits")
    why: str = Field(
        min_length=3, max_length=1000, description="what it changes and why that helps, for who applies it"
    )
    first_line: int = Field(ge=1, description="first line of the source that the edit is about")
    last_line: int = Field(ge=1, description="last line of it")


class Change(_Answer):
    """A piece of the source that gives way to another."""

    old: str = Field(min_length=1, description="text of the source, exactly as it stands there, and only once")
    new: str = Field(description="what takes its place")


class NewRegion(_Answer):
    """The whole new text of a region."""

    symbol: str = Field(description="the region's name, the last word of its marker")
    text: str = Field(min_length=1, description="all lines between its markers, the markers left out")


class CodeAnswer(_Answer):
    """The plan, applied: either changes or whole regions."""

    changes: tuple[Change, ...] = Field(default=(), description="pieces to replace; empty where regions are given")
    regions: tuple[NewRegion, ...] = Field(default=(), description="regions to replace; empty where changes are given")


class RepairAnswer(CodeAnswer):
    """The failed source, mended: either changes or whole regions."""

    cause: str = Field(min_length=3, max_length=600, description="what was wrong, in a sentence")


class JudgeAnswer(_Answer):
    """What to do about a candidate that is right."""

    decision: Decision = Field(description="keep, refine or leave")
    reason: str = Field(min_length=3, max_length=600, description="the one reason, from the profile")
