from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kmaint.config import Config
from kmaint.errors import HarnessError, UsageError
from kmaint.records.harness import Harness
from kmaint.workflow import export_trace, export_trajectories
from tests.learning.conftest import measured_run

RUN = measured_run().id


def test_attempts_are_lines_and_what_stays_here_is_said(
    config: Config, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    assert export_trajectories([RUN[:7]], "rl", Path("rl.jsonl"), config, said.append) == 3
    rows = [json.loads(line) for line in Path("rl.jsonl").read_text().splitlines()]
    assert [row["attempt"]["step"] for row in rows] == [1, 2, 3]
    assert said == []
    monkeypatch.setenv("SOME_API_TOKEN", "keep_exponentials")
    monkeypatch.setenv("THE_SECRET", "merge_state_kernel")
    assert export_trajectories([RUN], "rl", Path("rl.jsonl"), config, said.append) == 0
    assert said[0] == f"left out: {RUN} {rows[0]['attempt']['candidate']}: its source holds what looks like a secret"


def test_a_run_whose_harness_is_gone_is_left_out_and_named(config: Config, elsewhere: Path) -> None:
    said: list[str] = []
    assert export_trajectories([], "sft", Path("sft.jsonl"), config, said.append) == 3
    assert len(said) == 8
    gone = "run silu_and_mul_kernel-38f8d191: gone/sglang-silu-and-mul-kernel: no harness.toml in it, so not a harness"
    assert f"left out: {gone}" in said
    with pytest.raises(HarnessError) as found:
        export_trajectories(["silu"], "rl", Path("rl.jsonl"), config, print)
    assert str(found.value) == f"{gone}; its attempts begin at the original in there: put it back"
    assert not Path("rl.jsonl").exists()


def test_a_harness_is_no_run(config: Config, harness: Harness) -> None:
    message = (
        f"{harness.folder} is a harness, and sft data are made of runs; "
        "name runs ('kmaint runs' lists them), or say --to flashinfer-trace"
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        export_trajectories([str(harness.folder)], "sft", Path("sft.jsonl"), config, print)


def test_a_run_is_no_harness(config: Config, elsewhere: Path) -> None:
    message = (
        f"{RUN} is a run, and flashinfer-trace files are made of a harness; "
        "name a harness folder, or say --to sft, preference or rl"
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        export_trace([RUN], Path("trace"), config)
    message = "flashinfer-trace files are made of one harness, and 0 are named; name a harness folder"
    with pytest.raises(UsageError, match=f"^{message}$"):
        export_trace([], Path("trace"), config)
    with pytest.raises(HarnessError, match=r"^nowhere: no harness\.toml in it"):
        export_trace(["nowhere"], Path("trace"), config)
    assert list(elsewhere.iterdir()) == []
