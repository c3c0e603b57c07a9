"""Points of a grid, what they change, and which of them cannot be written."""

from __future__ import annotations

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.launch import BEFORE, apply, launch_space
from kmaint.records.workload import Contract

SUBJECT = Subject(source=BEFORE, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))


def test_knobs_are_in_the_order_of_their_values_with_todays_among_them() -> None:
    grid = launch_space(SUBJECT)
    assert {knob.name: [one.value for one in knob.settings] for knob in grid.knobs} == {
        "num_warps": [1, 2, 4, 8, 16],
        "BLOCK 15:12": [64, 128, 256, 512, 1024, 2048],
    }
    assert grid.values(grid.written) == {"num_warps": 8, "BLOCK 15:12": 256} and grid.size == 30


def test_every_listed_variant_is_a_point_with_the_same_source() -> None:
    grid = launch_space(SUBJECT)
    sources = {grid.note(point): grid.variant(point).source for point in grid.points() if point != grid.written}
    listed = {variant.note: variant.source for variant in apply(SUBJECT)}
    assert listed.items() <= sources.items() and len(sources) == 29


def test_what_is_written_is_no_variant() -> None:
    grid = launch_space(SUBJECT)
    with pytest.raises(NotApplicable):
        grid.variant(grid.written)


def test_settings_of_the_same_characters_exclude_one_another() -> None:
    tile = "def tile(width):\n    return 16 if width >= 2 else 32\n\n\ndef launch"
    source = BEFORE.replace("    BLOCK = 256", "    BLOCK = tile(2)").replace("def launch", tile)
    grid = launch_space(Subject(source=source, kernel="kernel", entry="launch", contract=SUBJECT.contract))
    both = next(
        (two, one)
        for two, one in ((knob, at) for knob in grid.knobs for at in range(len(knob.settings)))
        if " 32 " in f" {two.settings[one].value} " and two.settings[one].note.startswith("BLOCK 16 ->")
    )
    point = tuple(both[1] if knob is both[0] else (0 if "BLOCK" in knob.name else knob.written) for knob in grid.knobs)
    assert not grid.possible(point)
