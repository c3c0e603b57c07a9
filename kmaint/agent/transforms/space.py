"""Variants that form a grid: knobs with ordered settings, of which each point of the grid takes one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kmaint.agent.transforms.base import Edited, NotApplicable
from kmaint.agent.transforms.source import edited, overlap
from kmaint.spans import Replacement, Source

Point = tuple[int, ...]
"""The setting of each knob, by its place among the knob's own."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One knob at one value: the words for the note, and the edit; no edit where it is what is written today."""

    knob: str
    value: int
    note: str
    replacements: tuple[Replacement, ...]


@dataclass(frozen=True, kw_only=True)
class Knob:
    """Settings from the smallest value to the largest; `written` is the place of today's among them."""

    name: str
    settings: tuple[Setting, ...]
    written: int


@dataclass(frozen=True, kw_only=True)
class Space:
    """The grid over knobs in one source. Knobs that edit the same characters exclude one another."""

    source: Source
    knobs: tuple[Knob, ...]

    @property
    def written(self) -> Point:
        """Where every knob is as it is today."""
        return tuple(knob.written for knob in self.knobs)

    @property
    def size(self) -> int:
        """Points of the full grid, today's and excluded ones among them."""
        return math.prod(len(knob.settings) for knob in self.knobs)

    def points(self) -> Iterator[Point]:
        """Every point that can be written, today's among them."""
        places = (range(len(knob.settings)) for knob in self.knobs)
        yield from (point for point in itertools.product(*places) if self.possible(point))

    def settings(self, point: Point) -> list[Setting]:
        """What a point changes."""
        return [knob.settings[at] for knob, at in zip(self.knobs, point, strict=True) if at != knob.written]

    def values(self, point: Point) -> Mapping[str, int]:
        """The value of each knob at a point, today's where it changes nothing."""
        return {knob.name: knob.settings[at].value for knob, at in zip(self.knobs, point, strict=True)}

    def possible(self, point: Point) -> bool:
        """Whether no two of a point's edits meet."""
        changes = self.settings(point)
        return not any(overlap(one.replacements, two.replacements) for one, two in itertools.combinations(changes, 2))

    def note(self, point: Point) -> str:
        """What a point changes, in words."""
        return ", ".join(setting.note for setting in self.settings(point))

    def variant(self, point: Point) -> Edited:
        """The source at a point. NotApplicable where it cannot be written."""
        if not self.possible(point) or point == self.written:
            raise NotApplicable("two settings edit the same characters, or none edits any")
        edits = [edit for setting in self.settings(point) for edit in setting.replacements]
        return edited(self.source, edits, self.note(point))
