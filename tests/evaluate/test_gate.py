from __future__ import annotations

from collections.abc import Callable

from kmaint.evaluate import Bench, baseline, check
from kmaint.evaluate.gate import workload_timing
from kmaint.records.evaluation import Candidate, NotBuilt, Passed, Wrong
from kmaint.records.harness import Harness

SUM = "out = p_out * p_scale + s_out * s_scale"


def test_the_original_passes_bit_exact(
    harness: Harness, source: str, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    found = check(harness, propose(source), bench)
    names = ["lint", "compile", "integrity", "interpreter", "numerics", "profile"]
    assert [rung.name for rung in found.rungs] == names
    assert all(rung.passed for rung in found.rungs)
    verdict = found.verdict
    assert isinstance(verdict, Passed)
    assert (verdict.numerics.kind, verdict.numerics.max_difference, verdict.numerics.oracle) == ("bit-exact", 0.0, True)
    assert verdict.numerics.original_error == verdict.numerics.candidate_error
    assert (verdict.timing, verdict.win, verdict.profile.estimated) == (None, False, True)
    assert verdict.profile == baseline(harness, bench)
    assert found.environment.device is None


def test_another_result_is_wrong(
    harness: Harness, source: str, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    found = check(harness, propose(source.replace(SUM, f"{SUM} * 1.1")), bench)
    assert isinstance(found.verdict, Wrong)
    assert found.verdict.codes == ("mismatch",)
    assert found.rungs[-1].name == "integrity"
    assert "elements differ" in found.verdict.reason


def test_the_first_failing_rung_is_the_last(
    harness: Harness, source: str, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    found = check(harness, propose("def ("), bench)
    assert isinstance(found.verdict, NotBuilt)
    assert found.verdict.reason == "does not parse: line 1: invalid syntax"
    assert [(rung.name, rung.passed) for rung in found.rungs] == [("lint", False)]


def test_what_the_worker_measured_becomes_a_record() -> None:
    samples = {"original_us": [12.0, 12.0], "candidate_us": [10.0, 10.0]}
    control = {"control_a_us": [12.0, 12.0], "control_b_us": [12.0, 12.0]}
    eager = {"eager_original_us": [20.0], "eager_candidate_us": [25.0]}
    found = workload_timing("T4", 0.5, {**samples, **control, **eager}, floor_us=3.0)
    assert (found.original_us, found.candidate_us) == ((12.0, 12.0), (10.0, 10.0))
    assert (found.speedup.ratio, found.noise.ratio, found.floor_us) == (1.2, 1.0, 3.0)
    assert found.eager is not None
    assert found.eager.ratio == 0.8
