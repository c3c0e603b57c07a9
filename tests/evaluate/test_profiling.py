"""Profiles outside of a climb: with counters where a machine gives them, and as before where it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.evaluate import Bench, baseline, count_source
from kmaint.evaluate.rungs.counters import REFUSED
from kmaint.records.harness import Harness
from tests.standing_in import ncu


def test_without_a_gpu_nobody_asks_for_counters(
    harness: Harness, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = ncu(tmp_path / "bin", monkeypatch)
    found = baseline(harness, bench)
    assert (found.counters, found.evidence, found.uncounted, found.estimated) == (None, "", None, True)
    assert not calls.exists()


def test_a_source_is_laid_out_and_a_call_of_it_counted(
    small: Harness, source: str, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = ncu(tmp_path / "bin", monkeypatch)
    before = baseline(small, bench)
    found, trouble = count_source(before, small, source, replace(bench, known={}))
    assert trouble == ""
    assert found.counters is not None
    assert (found.bottleneck, found.uncounted) == ("memory", before.bottleneck)
    assert found.evidence.startswith("merge_state_kernel: DRAM at 81 % of its peak")
    assert "candidate.py" in calls.read_text()
    assert before.device_s is None
    assert 0.0 < (found.device_s or 0.0) < 60.0


def test_where_there_are_no_counters_the_profile_stays_as_it_was(
    small: Harness, source: str, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ncu(tmp_path / "bin", monkeypatch)
    before = baseline(small, bench)
    assert count_source(before, small, source, replace(bench, known={REFUSED: "not here"})) == (before, "not here")
