"""A dry run of the timing worker: the same legs, blocks and checks with the wall clock in place of CUDA graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kmaint.evaluate import Bench
from kmaint.evaluate.bench import Answer, Done, Request, ask
from kmaint.evaluate.measuring import workload_timing
from kmaint.records.harness import Harness


def timed(harness: Harness, candidate: Path, bench: Bench, scratch: Path) -> Answer:
    shared: dict[str, Any] = {"folder": str(harness.folder), "entry": harness.entry, "candidate": str(candidate)}
    request = Request(
        command="time",
        shared={**shared, "blocks": 3, "seed": 7, "clock": "wall"},
        items=({"workload": "T4", "ask_clock": True},),
        limit_s=60.0,
        harness=harness.folder,
        interpret=True,
    )
    return ask(bench, request, scratch)[0]


def test_a_dry_run_gives_paired_samples(harness: Harness, bench: Bench, tmp_path: Path) -> None:
    answer = timed(harness, harness.folder / "kernel.py", bench, tmp_path)
    assert isinstance(answer, Done)
    value = answer.value
    assert (value["differs"], value["note"], value["clock_mhz"]) == ("", "", None)
    for name in ("original_us", "candidate_us", "control_a_us", "control_b_us"):
        assert len(value[name]) == 3
        assert all(us > 0 for us in value[name])
    assert workload_timing("T4", 1.0, value).speedup.ratio > 0


def test_timed_calls_are_checked(harness: Harness, source: str, bench: Bench, tmp_path: Path) -> None:
    """The candidate answers from memory: right once, and wrong on the data that it is timed with."""
    remembering = source.replace("def merge_state_triton(", "MEMORY = {}\n\n\ndef compute(").replace(
        "    return output, output_lse\n",
        "    return output, output_lse\n\n\ndef merge_state_triton(**arguments):\n"
        "    key = arguments['prefix_output'].data_ptr()\n"
        "    if key not in MEMORY:\n        MEMORY[key] = compute(**arguments)\n"
        "    return MEMORY[key][0].clone(), MEMORY[key][1].clone()\n",
    )
    candidate = tmp_path / "remembering.py"
    candidate.write_text(remembering)
    answer = timed(harness, candidate, bench, tmp_path)
    assert isinstance(answer, Done)
    assert answer.value["differs"] == "timed call 0: its output is not the original's"
