"""Launch parameters by search: what cannot run is never compiled, and each way is left as soon as it gets worse."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kmaint.agent.descent import climb
from kmaint.agent.transforms.base import Edited
from kmaint.agent.transforms.launch_model import LaunchModel
from kmaint.agent.transforms.space import Point, Space
from kmaint.records.evaluation import Resources

MOST_POINTS = 24
"""Ranked for one parent: at about a second each, little of a run's minutes, and enough for four knobs."""
PROMISING = 2
"""Points far from today's that the model thinks most of: one summit may hide another."""

RankSources = Callable[[Sequence[str]], Sequence[float | None]]


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A point that was ranked: its source and its rank. None did not run."""

    edited: Edited
    ratio: float | None


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """The search over one space. `notes` are those of points that won in cases like this one: they are tried first."""

    space: Space
    today: Resources | None
    notes: Sequence[str] = ()
    scale: float = 1.0
    """The rank of what is written."""
    most: int = MOST_POINTS

    def run(self, rank: RankSources) -> list[Tuned]:
        """Every point that was ranked, in the order asked."""
        model = LaunchModel(space=self.space, today=self.today)
        variants: dict[Point, Edited] = {}

        def ranks(points: Sequence[Point]) -> list[float | None]:
            fresh = [point for point in points if point != self.space.written]
            variants.update({point: self.space.variant(point) for point in fresh})
            found = dict(zip(fresh, rank([variants[point].source for point in fresh]), strict=True))
            return [found.get(point) if point in found else self.scale for point in points]

        known = climb(
            [len(knob.settings) for knob in self.space.knobs],
            self.space.written,
            ranks,
            allowed=lambda point: self.space.possible(point) and not model.rules_out(point),
            first=[*self._recalled(), *self._promising(model)],
            most=self.most,
        )
        return [Tuned(edited=variants[point], ratio=known[point]) for point in known if point in variants]

    def _recalled(self) -> list[Point]:
        """The points that the notes of earlier winners name, as far as this space has their settings."""
        points = []
        for note in self.notes:
            parts = {_unplaced(part) for part in note.split(", ")}
            point = tuple(
                next((at for at, setting in enumerate(knob.settings) if _unplaced(setting.note) in parts), knob.written)
                for knob in self.space.knobs
            )
            if point != self.space.written:
                points.append(point)
        return points

    def _promising(self, model: LaunchModel) -> list[Point]:
        """Those that the model puts well above what is written, the best first."""
        floor = model.promise(self.space.written)
        points = [point for point in self.space.points() if not model.rules_out(point)]
        better = [point for point in points if model.promise(point) > floor]
        return sorted(better, key=model.promise, reverse=True)[:PROMISING]


def _unplaced(note: str) -> str:
    """A setting's note without the line that it stands on, and without what it was before."""
    return re.sub(r" \(line \d+\)$", "", re.sub(r"\b\d+ -> ", "", note))
