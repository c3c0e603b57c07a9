"""A measurement without a GPU: the same workers, questions and judge, with the wall clock for CUDA graphs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from kmaint.evaluate import Bench
from kmaint.evaluate.bench import OPEN_AIR
from kmaint.evaluate.timing.measuring import (
    Measured,
    _refused,
    measure,
    measure_rounds,
    workload_timing,
)
from kmaint.evaluate.timing.session import Effort
from kmaint.records.evaluation import Crashed, Dishonest, Rejection, Wrong
from kmaint.records.harness import Harness
from kmaint.records.timing import Trace, WorkloadTiming

DRY = Effort(most_blocks=2, clock="wall")
RETURNED = "    return output, output_lse\n"
ENTRY = "def merge_state_triton("
VALUE = {
    "original_us": [12.0, 12.0],
    "candidate_us": [10.0, 10.0],
    "control_a_us": [12.0, 12.0],
    "control_b_us": [12.0, 12.0],
    "eager_original_us": [20.0],
    "eager_candidate_us": [25.0],
}


@pytest.fixture
def small(harness: Harness) -> Harness:
    """With one workload of a few rows."""
    one = tuple(workload for workload in harness.contract.workloads if workload.name == "T4")
    return dataclasses.replace(harness, contract=dataclasses.replace(harness.contract, workloads=one))


def found_in(source: str, harness: Harness, bench: Bench, scratch: Path) -> Measured | Rejection:
    file = scratch / "candidate.py"
    file.write_text(source)
    return measure(harness, file, bench, scratch, DRY)


def wrapped(source: str, body: str, *, before: str = "") -> str:
    """The same file with another entry, whose body may call the original one as `compute`."""
    return f"{source.replace(ENTRY, 'def compute(')}\n{before}\ndef merge_state_triton(**arguments):\n{body}\n"


def says(line: str) -> str:
    """A body that finds the descriptor of the answers, gives one of its own and ends the process."""
    return (
        "    import json, os\n    for number in range(3, 64):\n        try:\n"
        "            if 'pipe' in os.readlink(f'/proc/self/fd/{number}'):\n"
        f"                os.write(number, json.dumps({line}).encode() + b'\\n')\n"
        "        except OSError:\n            pass\n"
        "    os._exit(0)"
    )


def test_each_round_is_measured_seen_from_outside_and_judged(
    small: Harness, source: str, bench: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "candidate.py"
    file.write_text(source)
    effort = Effort(most_blocks=2, rounds=2, clock="wall")
    rounds = measure_rounds(small, file, bench, tmp_path, effort)
    assert len(rounds) == 2
    for one in rounds:
        assert isinstance(one, Measured)
        (timing,) = one.timing.workloads
        for samples in (timing.original_us, timing.candidate_us, timing.control_a_us, timing.control_b_us):
            assert len(samples) == 2
            assert all(us > 0 for us in samples)
        assert (timing.compared, timing.original_trace, len(timing.conditions)) == (2, None, 2)
        assert timing.wall_ratio is not None
        assert 0.1 < timing.wall_ratio < 10.0  # the machine is shared
    assert rounds[0] != rounds[1]


def test_an_answer_from_memory_is_found_in_what_timed_calls_left(
    small: Harness, source: str, bench: Bench, tmp_path: Path
) -> None:
    """Right once, and wrong on the data that it is timed with."""
    body = (
        "    key = arguments['prefix_output'].data_ptr()\n"
        "    if key not in MEMORY:\n        MEMORY[key] = compute(**arguments)\n"
        "    return MEMORY[key][0].clone(), MEMORY[key][1].clone()"
    )
    found = found_in(wrapped(source, body, before="MEMORY = {}"), small, bench, tmp_path)
    assert isinstance(found, Wrong)
    assert found.codes == ("mismatch",)
    assert found.reason.startswith("T4: timed call 0: return[0]")


@pytest.mark.slow
def test_a_written_input_is_found_in_what_timed_calls_left(
    small: Harness, source: str, bench: Bench, tmp_path: Path
) -> None:
    body = "    found = compute(**arguments)\n    arguments['suffix_lse'].add_(1.0)\n    return found"
    found = found_in(wrapped(source, body), small, bench, tmp_path)
    assert isinstance(found, Wrong)
    assert found.codes == ("mutated_input",)


@pytest.mark.parametrize(
    "given", ["{'workloads': {}}", "{'workloads': {'T4': {'original_us': [1.0]}}}", "{'workloads': 1}", "{}"]
)
def test_what_a_candidate_says_in_the_name_of_its_process_is_no_measurement(
    small: Harness, source: str, bench: Bench, tmp_path: Path, given: str
) -> None:
    body = says(f"{{'event': 'done', 'item': 0, 'value': {given}}}")
    found = found_in(wrapped(source, body), small, bench, tmp_path)
    assert isinstance(found, Dishonest)
    assert found.codes == ("spoofed_result",)
    assert found.reason == "T4: gives no times, or others than were asked for"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"event": "asks", "value": {"ask": "blocks"}}, "T4: asks 'blocks' in the name of what times it"),
        ({"event": "asks", "value": 1}, 'T4: writes \'{"event": "asks", "value": 1}\' among the answers'),
        ({"event": "failed"}, 'T4: writes \'{"event": "failed"}\' among the answers'),
    ],
)
def test_what_it_asks_in_the_name_of_its_process_is_no_crash_of_ours(
    small: Harness, source: str, bench: Bench, tmp_path: Path, line: dict[str, Any], reason: str
) -> None:
    found = found_in(wrapped(source, says(str(line))), small, bench, tmp_path)
    assert isinstance(found, Dishonest)
    assert (found.codes, found.reason) == (("spoofed_result",), reason)


def test_what_is_said_of_one_workload_names_it(harness: Harness, source: str, bench: Bench, tmp_path: Path) -> None:
    """All are made ready before the first is timed: what ends the process need be no fault of the first."""
    two = tuple(one for one in harness.contract.workloads if one.name in ("T4", "T32"))
    both = dataclasses.replace(harness, contract=dataclasses.replace(harness.contract, workloads=two))
    body = (
        "    import os\n    if arguments['prefix_output'].shape[0] == 32:\n        os._exit(3)\n"
        "    return compute(**arguments)"
    )
    found = found_in(wrapped(source, body), both, bench, tmp_path)
    assert isinstance(found, Crashed)
    assert found.reason == "T32: its process ended with exit status 3"


def test_a_candidate_is_timed_behind_walls(small: Harness, source: str, bench: Bench, tmp_path: Path) -> None:
    """What it would do outside its scratch folder in front of a clock alone, it cannot do there either."""
    if bench.walls.level == "none":
        pytest.skip(f"no walls on this machine: {bench.walls.reason}")
    (outside := tmp_path / "outside").mkdir()
    (secret := tmp_path / "secret").write_text("not to be read")
    (scratch := tmp_path / "scratch").mkdir()
    reads = wrapped(source, f"    open({str(secret)!r}).read()\n    return compute(**arguments)")
    writes = wrapped(source, f"    open({str(outside / 'written')!r}, 'w')\n    return compute(**arguments)")
    for text in (reads, writes):
        found = found_in(text, small, bench, scratch)
        assert isinstance(found, Wrong)
        assert "PermissionError" in found.reason
    assert list(outside.iterdir()) == []
    assert bench.known[OPEN_AIR] == ""


def test_where_no_worker_starts_behind_walls_it_is_timed_without(
    small: Harness, source: str, bench: Bench, tmp_path: Path
) -> None:
    broken = dataclasses.replace(bench.walls, within=("--no-such-wall", "--"))
    bare = dataclasses.replace(bench, walls=broken, known={})
    assert isinstance(found_in(source, small, bare, tmp_path), Measured)
    assert bare.known[OPEN_AIR].startswith("the hear worker ended before its first item: ")


def test_a_clock_replaced_on_import_is_named(small: Harness, source: str, bench: Bench, tmp_path: Path) -> None:
    tampered = "import time\nreal = time.perf_counter\ntime.perf_counter = lambda: real() / 2\n"
    found = found_in(f"{source}\n{tampered}", small, bench, tmp_path)
    assert isinstance(found, Dishonest)
    assert found.codes == ("tampered",)
    assert found.reason == "T4: time.perf_counter is no longer what it was before the candidate was imported"


@pytest.mark.slow
def test_a_clock_replaced_while_it_runs_is_named(small: Harness, source: str, bench: Bench, tmp_path: Path) -> None:
    body = (
        "    import sys\n    replay = sys.modules['workers.replay']\n"
        "    replay.WallClock.__call__.__code__ = (lambda self, legs: [1.0 for _ in legs]).__code__\n"
        "    return compute(**arguments)"
    )
    found = found_in(wrapped(source, body), small, bench, tmp_path)
    assert isinstance(found, Dishonest)
    assert found.codes == ("tampered",)
    assert "workers.replay.WallClock.__call__ is no longer" in found.reason


def test_a_lie_that_the_worker_does_not_see_is_seen_by_the_clock_outside(
    small: Harness, source: str, bench: Bench, tmp_path: Path
) -> None:
    """It blinds the watch and then claims a tenth of its time."""
    before = (
        "import sys\nimport time\n"
        "HIDDEN = [0.0]\n"
        "sys.modules['workers.watching'].Watch.changed = lambda self: ''\n"
        "sys.modules['workers.replay'].perf_counter = lambda: time.perf_counter() - HIDDEN[0]\n"
    )
    body = (
        "    start = time.perf_counter()\n    found = compute(**arguments)\n"
        "    HIDDEN[0] += (time.perf_counter() - start) * 0.9\n    return found"
    )
    found = found_in(wrapped(source, body, before=before), small, bench, tmp_path)
    assert isinstance(found, Dishonest)
    assert found.codes == ("clock_disagrees",)
    assert found.reason.startswith("T4: claims ")


def test_what_the_worker_measured_becomes_a_record() -> None:
    found = workload_timing("T4", 0.5, VALUE, floor_us=3.0)
    assert (found.original_us, found.candidate_us) == ((12.0, 12.0), (10.0, 10.0))
    assert (found.speedup.ratio, found.noise.ratio, found.floor_us) == (1.2, 1.0, 3.0)
    assert (found.control_a_us, found.wall_ratio, found.original_trace) == ((12.0, 12.0), None, None)
    assert found.eager is not None
    assert found.eager.ratio == 0.8


def traced(original_us: float, candidate_us: float | None) -> WorkloadTiming:
    def trace(busy_us: float) -> dict[str, object]:
        return {"busy_us": busy_us, "launches": 1.0, "streams": 1, "kernels": ["kernel"]}

    traces = {"original_trace": trace(original_us), "candidate_trace": trace(candidate_us) if candidate_us else None}
    return workload_timing("T4", 1.0, {**VALUE, **traces})


def test_records_of_the_device_that_fit_are_kept() -> None:
    found = traced(11.5, 9.5)
    assert _refused(found, captured=True) is None
    assert found.candidate_trace == Trace(busy_us=9.5, launches=1.0, streams=1, kernels=("kernel",))


@pytest.mark.parametrize(
    ("busy_us", "said"),
    [
        (20.0, "T4: 10.00 us a call, and the device was busy for 20.00 us in 1 launches"),
        (2.0, "T4: 10.00 us a call, and the device was busy for 2.00 us in 1 launches"),
        (None, "T4: 10.00 us a call, and the device has no record of it"),
    ],
)
def test_records_of_the_device_that_do_not_fit_are_a_rejection(busy_us: float | None, said: str) -> None:
    found = _refused(traced(11.5, busy_us), captured=True)
    assert isinstance(found, Dishonest)
    assert (found.codes, found.reason) == (("clock_disagrees",), said)


def test_records_that_do_not_fit_the_original_either_say_nothing() -> None:
    assert _refused(traced(30.0, 20.0), captured=True) is None


def test_a_call_outside_a_graph_may_wait_for_its_host() -> None:
    assert _refused(traced(11.5, 2.0), captured=False) is None
    assert _refused(traced(11.5, 20.0), captured=False) is not None
