"""Candidates that the linter turns down, since their verdicts need no interpreter; all else is the product's road."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.campaign.handing import HANDOFF, files_for, hand_in, unjudged
from kmaint.config import Config, load_config
from kmaint.folder import KERNEL
from kmaint.records.harness import Harness
from tests.merged import harness_in


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return harness_in(tmp_path / "harness")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(provider="handoff", candidates=1, device="none", state=tmp_path / "state")


@pytest.fixture
def files(tmp_path: Path, harness: Harness) -> list[Path]:
    source = (harness.folder / KERNEL).read_text()
    old = "tl.exp(p_lse) / out_se"
    assert source.count(old) == 1
    found = []
    for name, bottleneck in (("a", "launches"), ("b", "latency")):
        (file := tmp_path / f"{name}.py").write_text(source.replace(old, f"tl.exp(p_lse) {name} / out_se"))
        file.with_suffix(".md").write_text(f"Bottleneck: {bottleneck}, as it seems.\nEdit: none that parses.\n")
        found.append(file)
    return found


def test_files_are_handed_in_one_after_the_other_with_their_plans(
    harness: Harness, config: Config, files: list[Path]
) -> None:
    first = hand_in(harness, files, config)
    assert [one.verdict.kind for one in first.evaluations] == ["not_built"]
    assert (first.provider, first.state) == ("handoff", "no_win")
    assert unjudged(files, first) == files[1:]
    assert (config.state / "runs" / first.id / "requests" / "001" / "TASK.md").is_file()

    second = hand_in(harness, files, config)
    assert second.id == first.id
    assert unjudged(files, second) == []
    plans = [one.candidate.plan for one in second.evaluations]
    assert [plan.edit for plan in plans] == ["a", "b"]
    assert plans[0].why == "Bottleneck: launches, as it seems. Edit: none that parses."
    assert second.baseline is not None
    assert [plan.bottleneck for plan in plans] == [second.baseline.bottleneck, "latency"]
    assert all(plan.anchor for plan in plans)
    assert hand_in(harness, files, config).evaluations == second.evaluations


def test_what_won_comes_first() -> None:
    names = [file.stem for file in files_for("vllm-silu-and-mul-cuda")]
    assert names[0] == "division-unchecked-when-rows-are-few"
    assert names[1:] == sorted(set(names) - {names[0]})
    assert all(file.with_suffix(".md").is_file() for file in HANDOFF.glob("*/*.py"))


def test_a_file_that_says_nothing_new_costs_the_others_nothing(
    harness: Harness, config: Config, files: list[Path]
) -> None:
    (again := files[0].with_name("again.py")).write_text((harness.folder / KERNEL).read_text() + "\n")
    again.with_suffix(".md").write_text("Nothing.")
    found = hand_in(harness, [again, *files], config.model_copy(update={"candidates": 3}))
    assert unjudged([again, *files], found) == [again]
    assert len(found.evaluations) == 2
