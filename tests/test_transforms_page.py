"""docs/transforms.md says what the classes say, and what was recorded."""

from __future__ import annotations

from benchmarks.transforms import PAGE, page
from kmaint.agent.transforms.catalogue import TRANSFORMS


def test_the_page_is_what_its_script_writes() -> None:
    text = PAGE.read_text()
    assert page(text) == text, "run python -m benchmarks.transforms"


def test_every_transform_has_its_section() -> None:
    lines = PAGE.read_text().splitlines()
    assert [line for line in lines if line.removeprefix("## ") in {one.name for one in TRANSFORMS}] == [
        f"## {transform.name}" for transform in TRANSFORMS
    ]
