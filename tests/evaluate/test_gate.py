from __future__ import annotations

from collections.abc import Callable

from kmaint.evaluate import Bench, baseline, check
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
