"""Evaluations of hand-made winners: what a machine would have said, as records."""

from collections.abc import Mapping

from kmaint.records.evaluation import Candidate, Environment, Evaluation, Numerics, Passed, Plan, Profile
from kmaint.records.timing import Interval, Timing, WorkloadTiming

NOISE = Interval(ratio=1.0, low=0.998, high=1.003)


def evaluation(
    source: str, ratios: Mapping[str, float] | None, *, device: str = "NVIDIA H200", arch: str = "sm_90"
) -> Evaluation:
    """A passing evaluation; `ratios` has the speedup of each timed workload, each within 1 %."""
    workloads = tuple(
        WorkloadTiming(
            workload=name,
            weight=1.0,
            original_us=(10.0, 10.1, 10.2),
            candidate_us=(10.0 / ratio, 10.1 / ratio, 10.2 / ratio),
            speedup=Interval(ratio=ratio, low=ratio * 0.99, high=ratio * 1.01),
            noise=NOISE,
        )
        for name, ratio in (ratios or {}).items()
    )
    overall = Interval(ratio=1.2, low=1.19, high=1.21)
    verdict = Passed(
        numerics=Numerics(kind="bit-exact", oracle=True, original_error=1e-7, candidate_error=1e-7, max_difference=0.0),
        profile=Profile(
            bottleneck="latency", estimated=ratios is None, resources=(), roofline_fraction=None, next_step="none"
        ),
        timing=Timing(workloads=workloads, speedup=overall, noise_floor=0.01) if ratios else None,
        win=ratios is not None,
    )
    environment = Environment(
        device=device if ratios else None,
        device_uuid=None,
        arch=arch,
        driver=None,
        python="3.12.3",
        torch="2.11.0",
        triton="3.6.0",
        cuda=None,
        platform="Linux",
        multiprocessors=None,
        l2_bytes=None,
        memory_bandwidth_gbps=None,
    )
    plan = Plan(bottleneck="latency", edit="hand", why="to see it land", anchor=(1, 1))
    candidate = Candidate(id="aaaaaaaaaaaa", source=source, parent=None, plan=plan, provider="builtin")
    return Evaluation(candidate=candidate, verdict=verdict, rungs=(), environment=environment)
