"""The HTML page: whole, safe and small; what its script draws was looked at in a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

from kmaint.records.kernel import Scan
from reports.inventory import page


class Scripts(HTMLParser):
    """The text of each script element, as a browser would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "script":
            self.inside = True
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "script"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found[-1] += data


def test_no_text_of_a_tree_leaves_its_place(scan: Scan) -> None:
    parser = Scripts()
    parser.feed(page(scan))
    data, program = parser.found
    rows = json.loads(data)
    assert [row["n"] for row in rows] == ["tuned_kernel", scan.kernels[0].qualname, "lost"]
    assert "alert(1)" not in program
    assert program.lstrip().startswith('"use strict"')


def test_nothing_is_fetched(scan: Scan) -> None:
    text = page(scan)
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import|https?://""", text)
    assert "default-src 'none'" in text


def test_filters_stand_only_for_what_is_known(scan: Scan) -> None:
    assert 'id="untested"' in page(scan)
    assert "no config for NVIDIA_H200" in page(scan)
    unknown = page(replace(scan, unknown=("tests", "benchmarks")))
    assert 'id="untested"' not in unknown
    assert "an empty column there means unknown, not none" in unknown


def test_eighteen_hundred_kernels_stay_under_two_megabytes(scan: Scan) -> None:
    busy = replace(scan.kernels[1], tests=tuple(f"tests/kernels/attention/test_{n}.py::test_case" for n in range(200)))
    many = replace(scan, kernels=tuple(replace(busy, path=f"vllm/model_executor/layers/k{n}.py") for n in range(1800)))
    assert len(page(many).encode()) < 2_000_000
