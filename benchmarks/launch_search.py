"""Rank whole grids of launch parameters, and count how few of their points the search needs for the same best.

    python benchmarks/launch_search.py HARNESS... [-o FILE] [--most N] [--device none]

writes FILE (benchmarks/results/DATE-launch-search.json): each grid's points with their ranks, and what the search asked
for on it. Knobs whose first steps change nothing are left out of the grid, and a grid of more than N points is cut at
its longest knobs, furthest from today's values. Without a GPU a rank is an estimate from compiling, and says so.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kmaint.agent.builtin import subject_of
from kmaint.agent.descent import LEVEL
from kmaint.agent.proposal import Parent, Request
from kmaint.agent.transforms.base import NotApplicable
from kmaint.agent.transforms.launch import launch_space
from kmaint.agent.transforms.launch_model import LaunchModel
from kmaint.agent.transforms.space import Knob, Point, Space
from kmaint.agent.tuning import Tuning
from kmaint.evaluate import Bench, Screened, baseline, open_bench, screen
from kmaint.folder import KERNEL, read_harness
from kmaint.records.harness import Harness

HERE = Path(__file__).parent


def main() -> None:
    today = datetime.datetime.now(tz=datetime.UTC).date()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harnesses", type=Path, nargs="+", metavar="HARNESS")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results" / f"{today}-launch-search.json")
    parser.add_argument("--most", type=int, default=64)
    parser.add_argument("--device", choices=("none", "cuda"), default="none")
    given = parser.parse_args()
    bench = open_bench(device=given.device)
    known = json.loads(given.output.read_text())["grids"] if given.output.is_file() else []
    for folder in given.harnesses:
        try:
            grid = measured(folder, bench, given.most)
        except NotApplicable as reason:
            print(f"{folder.name}: {reason}", file=sys.stderr)
            continue
        known = sorted([*(one for one in known if one["harness"] != folder.name), grid], key=_name)
        given.output.write_text(json.dumps({"date": str(today), "grids": known}, indent=1) + "\n")
        asked = grid["search"]
        print(f"{folder.name}: {asked['ranked']} of {len(grid['points'])} points, {asked['of_best']:.3f} of the best")


def _name(grid: Mapping[str, Any]) -> str:
    return str(grid["harness"])


def measured(folder: Path, bench: Bench, most: int) -> dict[str, Any]:
    """Every point of the harness's grid with its rank, then what the search does on it."""
    harness = read_harness(folder)
    profile = baseline(harness, bench)
    parent = Parent(id=None, source=(folder / KERNEL).read_text(), profile=profile, ratio=1.0)
    subject = subject_of(Request(harness=harness, parent=parent, history=(), screen=lambda _sources: []))
    whole = launch_space(subject)
    space = trimmed(alive(harness, whole, bench), most)
    points = [point for point in space.points() if point != space.written]
    ranks = screen(harness, [space.variant(point).source for point in points], bench)
    table = {space.written: 1.0} | {point: rank.ratio for point, rank in zip(points, ranks, strict=True)}
    model = LaunchModel(space=space, today=subject.resources)
    return {
        "harness": folder.name,
        "estimated": any(rank.estimated for rank in ranks),
        "whole": whole.size,
        "knobs": [
            {"name": knob.name, "values": [one.value for one in knob.settings], "written": knob.written}
            for knob in space.knobs
        ],
        "points": [
            {"at": list(point), "ratio": ratio, "ruled_out": model.rules_out(point)} for point, ratio in table.items()
        ],
        "search": searched(space, Tuning(space=space, today=subject.resources), table),
    }


def alive(harness: Harness, space: Space, bench: Bench) -> Space:
    """The space without the knobs whose first steps, up and down, change nothing."""
    steps: list[tuple[Knob, Point]] = []
    for axis, knob in enumerate(space.knobs):
        for at in (knob.written - 1, knob.written + 1):
            point = (*space.written[:axis], at, *space.written[axis + 1 :])
            if 0 <= at < len(knob.settings) and space.possible(point):
                steps.append((knob, point))
    ranks = screen(harness, [space.variant(point).source for _, point in steps], bench)
    moving = {knob.name for (knob, _), rank in zip(steps, ranks, strict=True) if not _is_level(rank)}
    if not moving:
        raise NotApplicable("no knob changes anything")
    return replace(space, knobs=tuple(knob for knob in space.knobs if knob.name in moving))


def _is_level(rank: Screened) -> bool:
    return rank.ratio is not None and abs(rank.ratio - 1.0) < LEVEL


def trimmed(space: Space, most: int) -> Space:
    """The space cut down to so many points: always at the longest knob, its value furthest from today's."""
    while space.size > most:
        longest = max(space.knobs, key=lambda knob: len(knob.settings))
        furthest = max(range(len(longest.settings)), key=lambda at: abs(at - longest.written))
        shorter = replace(
            longest,
            settings=tuple(one for at, one in enumerate(longest.settings) if at != furthest),
            written=longest.written - (furthest < longest.written),
        )
        space = replace(space, knobs=tuple(shorter if knob is longest else knob for knob in space.knobs))
    return space


def searched(space: Space, tuning: Tuning, table: Mapping[Point, float | None]) -> dict[str, Any]:
    """How many points the search asks for, how near its best is to the best there is, and how many are ruled out."""
    by_source = {space.variant(point).source: ratio for point, ratio in table.items() if point != space.written}

    def rank(sources: Sequence[str]) -> list[float | None]:
        return [by_source[source] for source in sources]

    found = tuning.run(rank)
    model = LaunchModel(space=space, today=tuning.today)
    best = max(ratio for ratio in table.values() if ratio is not None)
    return {
        "ranked": len(found),
        "of_best": max(itertools.chain([1.0], (one.ratio for one in found if one.ratio is not None))) / best,
        "best": best,
        "ruled_out": sum(bool(model.rules_out(point)) for point in table),
    }


if __name__ == "__main__":
    main()
