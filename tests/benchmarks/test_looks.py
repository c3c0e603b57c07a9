"""How far looks lie off: the arithmetic, and that the recorded summary is that of the recorded ratios."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.looks import summary

RECORDED = Path(__file__).parents[2] / "benchmarks" / "results" / "2026-12-02-h200-looks.json"


def test_each_workload_s_median_is_held_against_the_other_way_s() -> None:
    looks = [
        {"beside": {"a": [1.0, 1.1, 9.0]}, "alone": {"a": [1.0]}, "many": {"a": [2.2]}},
        {"beside": {"a": [1.0]}, "many": {"a": [1.0]}},
    ]
    found = summary(looks)
    assert found["beside from alone"] == {"workloads": 1, "off_by": dict.fromkeys(("0.5", "0.9", "0.99", "1.0"), 0.1)}
    assert found["beside from many"] == {"workloads": 2, "off_by": {"0.5": 0.5, "0.9": 0.5, "0.99": 0.5, "1.0": 0.5}}
    assert found["alone from many"]["workloads"] == 1


def test_the_record_s_summary_is_of_its_own_ratios() -> None:
    recorded = json.loads(RECORDED.read_text())
    ways = ("beside", "alone", "many")
    assert recorded["summary"] == summary(
        [{way: look[way] for way in ways if way in look} for look in recorded["looks"]]
    )
