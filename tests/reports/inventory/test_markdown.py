"""The Markdown inventory."""

from __future__ import annotations

from dataclasses import replace

from kmaint.records.kernel import Scan
from reports.inventory import markdown


def test_tables_are_whole_whatever_a_name_holds(scan: Scan) -> None:
    lines = markdown(scan).splitlines()
    start = lines.index("## Everything") + 2
    columns = lines[start].count("|")
    rows = lines[start + 2 : start + 2 + len(scan.kernels)]
    assert [row.count("|") - row.count("\\|") for row in rows] == [columns] * 3
    assert "| triton | 1 | 0 | 0 | 1 | 1 | 1 |" in lines


def test_a_trace_takes_the_place_of_signals(scan: Scan) -> None:
    assert "25 % of 1.0 ms is kernels of this tree. The rest:" in markdown(scan)
    assert "## Worth a look first" not in markdown(scan)
    cold = markdown(replace(scan, trace=None))
    assert "| `tuned_kernel` in `vllm/ops/a b.py:3` | 1 | 1 | registered, no tuned config |" in cold


def test_unknown_is_not_none(scan: Scan) -> None:
    text = markdown(replace(scan, unknown=("tests", "benchmarks")))
    assert "The tree holds no tests and no benchmarks: what is said of them is unknown, not none." in text
    assert "| cuda | 1 | 0 | 0 | 0 | unknown | 0 |" in text
