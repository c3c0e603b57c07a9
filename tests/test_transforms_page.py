"""docs/transforms.md says what the classes say, and what was recorded."""

from __future__ import annotations

from benchmarks.pages import ROOT
from benchmarks.transforms import PLACE, body
from kmaint.agent.transforms.catalogue import TRANSFORMS


def test_the_page_is_what_its_script_writes() -> None:
    assert not PLACE.put(body(), check=True), "run python -m benchmarks.transforms"


def test_every_transform_has_its_section() -> None:
    lines = (ROOT / PLACE.page).read_text().splitlines()
    assert [line for line in lines if line.removeprefix("## ") in {one.name for one in TRANSFORMS}] == [
        f"## {transform.name}" for transform in TRANSFORMS
    ]
