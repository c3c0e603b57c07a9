"""What the figures draw: positions in order, marks only for what was measured, words for those who cannot see."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from kmaint.records.evaluation import Rung
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.records.timing import Interval
from reports.evidence import Row, rows, timing_of
from reports.figures import ladder, latency, roofline, speedups


@pytest.fixture
def measured(won: Run, harness: Harness) -> list[Row]:
    timing = timing_of(won.winner)
    assert timing is not None
    return rows(timing, harness)


def places(svg: str, kind: str) -> list[float]:
    return [float(x) for x in re.findall(rf'class="dot {kind}" cx="([\d.]+)%"', svg)]


def test_further_right_is_slower(measured: list[Row]) -> None:
    svg = str(latency(measured))
    before, after = places(svg, "original"), places(svg, "candidate")
    assert before == sorted(before)
    assert [new < old for new, old in zip(after, before, strict=True)] == [True, True, False]
    assert all(0 <= x <= 100 for x in before + after)
    assert svg.count('class="floor"') == 3


def test_what_was_not_measured_is_not_drawn(measured: list[Row]) -> None:
    bare = [replace(row, floor_us=None, original=replace(row.original, low_us=None, high_us=None)) for row in measured]
    svg = str(latency(bare))
    assert 'class="floor"' not in svg
    assert "whisker original" not in svg
    assert svg.count("whisker candidate") == 3
    assert str(roofline([bare[0], measured[1]])).count("dot original") == 1


def test_right_of_one_is_faster(measured: list[Row]) -> None:
    svg = str(speedups([row.compared for row in measured], Interval(ratio=1.1, low=1.0999, high=1.11)))
    one = re.search(r'class="one" x1="([\d.]+)%"', svg)
    assert one is not None
    assert all(x > float(one[1]) for x in places(svg, "faster"))
    assert all(x < float(one[1]) for x in places(svg, "slower"))
    assert svg.count('class="noise"') == 3


def test_every_figure_is_well_formed_and_names_itself(measured: list[Row]) -> None:
    named = [replace(row, workload='<T> & "1"') for row in measured]
    for svg in (
        latency(named),
        roofline(named),
        speedups([row.compared for row in named], Interval(ratio=1.0, low=0.9, high=1.1)),
    ):
        root = ElementTree.fromstring(str(svg))
        assert root.get("role") == "img"
        assert root.get("aria-label")
        assert '<T> & "1"' in [text.text for text in root.iter("text")]


def test_a_ladder_says_in_words_what_it_shows() -> None:
    svg = ladder((Rung(name="lint", passed=True, seconds=0.1), Rung(name="compile", passed=False, seconds=0.2)))
    root = ElementTree.fromstring(str(svg))
    assert root.get("aria-label") == (
        "lint: passed; compile: failed; interpreter: not reached; device: not reached; numerics: not reached; "
        "integrity: not reached; time: not reached; sanitizer: not reached; profile: not reached"
    )
    assert [box.get("class") for box in root.iter("rect")] == ["up", "down", *["missed"] * 7]
