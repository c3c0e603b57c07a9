from __future__ import annotations

from kmaint.evaluate.measuring import workload_timing


def test_what_the_worker_measured_becomes_a_record() -> None:
    samples = {"original_us": [12.0, 12.0], "candidate_us": [10.0, 10.0]}
    control = {"control_a_us": [12.0, 12.0], "control_b_us": [12.0, 12.0]}
    eager = {"eager_original_us": [20.0], "eager_candidate_us": [25.0]}
    found = workload_timing("T4", 0.5, {**samples, **control, **eager}, floor_us=3.0)
    assert (found.original_us, found.candidate_us) == ((12.0, 12.0), (10.0, 10.0))
    assert (found.speedup.ratio, found.noise.ratio, found.floor_us) == (1.2, 1.0, 3.0)
    assert found.eager is not None
    assert found.eager.ratio == 0.8
