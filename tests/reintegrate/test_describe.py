"""The commit message of a measured win, of one that nobody timed, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.errors import UsageError
from kmaint.folder import read_harness
from kmaint.records.evaluation import Candidate, Environment, Evaluation, Numerics, Passed, Plan, Profile
from kmaint.records.harness import Harness
from kmaint.records.run import Budget, Run
from kmaint.records.timing import Interval, Timing, WorkloadTiming
from reintegrate.describe import commit_message

CASE = Path(__file__).parent / "cases" / "merge_state"
SLOW, FAST, NOISE = (10.0, 10.1, 10.2), (8.0, 8.1, 8.2), Interval(ratio=1.0, low=0.998, high=1.003)
GAIN = Interval(ratio=1.2469, low=1.2401, high=1.2533)


def run(*, timed: bool, state: str = "won") -> Run:
    one = WorkloadTiming(
        workload="T64", weight=1.0, original_us=SLOW, candidate_us=FAST, speedup=GAIN, noise=NOISE, eager=None
    )
    verdict = Passed(
        numerics=Numerics(kind="bit-exact", oracle=True, original_error=1e-7, candidate_error=1e-7, max_difference=0.0),
        profile=Profile(
            bottleneck="latency", estimated=not timed, resources=(), roofline_fraction=None, next_step="none"
        ),
        timing=Timing(workloads=(one,), speedup=GAIN, noise_floor=0.01) if timed else None,
        win=timed,
    )
    environment = Environment(
        device="NVIDIA H200" if timed else None,
        device_uuid=None,
        arch="sm_90",
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
    first = Candidate(
        id="aaaaaaaaaaaa",
        source=(CASE / "kernel.py").read_text(),
        parent=None,
        plan=Plan(
            bottleneck="latency",
            edit="num_warps",
            why="num_warps=1: a row of 128 elements fills one warp; more of them only wait for each other",
        ),
        provider="builtin",
    )
    second = Candidate(
        id="bbbbbbbbbbbb",
        source=(CASE / "winner.py").read_text(),
        parent=first.id,
        plan=Plan(bottleneck="compute", edit="keep_exponentials", why="two were computed twice"),
        provider="builtin",
    )
    return Run(
        id="merge_state_kernel-1a2b3c4d",
        harness=str(CASE),
        kernel="sglang/kernels/ops/attention/merge_state.py::merge_state_kernel",
        provider="builtin",
        strategy="lines",
        budget=Budget(),
        state="won" if state == "won" else "no_win",
        created="2026-11-21T05:00:00+00:00",
        evaluations=tuple(
            Evaluation(candidate=one, verdict=verdict, rungs=(), environment=environment) for one in (first, second)
        ),
        best=second.id if state == "won" else None,
        environment=environment,
    )


@pytest.fixture
def harness() -> Harness:
    return read_harness(CASE)


def test_a_measured_win_says_what_why_how_much_and_how_to_repeat_it(harness: Harness) -> None:
    assert (
        commit_message(run(timed=True), harness)
        == """\
Speed up merge_state_kernel 1.25x on NVIDIA H200

num_warps: num_warps=1: a row of 128 elements fills one warp; more of
them only wait for each other

keep_exponentials: two were computed twice

Measured on NVIDIA H200, torch 2.11.0, triton 3.6.0: 1.247x (95 %
interval 1.240 to 1.253), the weighted geometric mean of original over
new time:
    T64: 1.247x (1.240 to 1.253)

Results are the same to the bit on every workload and every generated
case.

Found by kmaint in run merge_state_kernel-1a2b3c4d; written with machine
assistance. Cut from sglang 0.5.17. To repeat:
    kmaint extract TREE 'sglang/kernels/ops/attention/merge_state.py::merge_state_kernel' -o DIR
    kmaint check HARNESS WINNER
"""
    )


def test_what_was_not_timed_claims_nothing(harness: Harness) -> None:
    message = commit_message(run(timed=False), harness)
    assert message.startswith("Change merge_state_kernel (not timed)\n")
    assert (
        "\nNot timed: there was no GPU. This commit claims no speedup, and is not\nready to be proposed.\n" in message
    )
    assert "1.2" not in message


@pytest.mark.parametrize(
    ("framework", "kernel", "subject"),
    [
        ("vllm", "merge_state_kernel", "[Perf][Kernel] Speed up merge_state_kernel 1.25x on NVIDIA H200"),
        ("vllm", "_act_quant_kernel_of_rows", "[Perf][Kernel] Speed up act_quant_kernel_of_rows 1.25x on NVIDIA H200"),
        ("sglang", "k" * 45, f"Speed up {'k' * 45} 1.25x"),
        ("vllm", "k" * 60, f"[Perf][Kernel] Speed up {'k' * 47}…"),
    ],
)
def test_the_fullest_subject_that_fits_is_taken(harness: Harness, framework: str, kernel: str, subject: str) -> None:
    other = replace(harness, kernel=kernel, provenance=replace(harness.provenance, framework=framework))
    got = commit_message(run(timed=True), other).splitlines()[0]
    assert got == subject
    assert len(got) <= 72


def test_nobody_is_signed_off(harness: Harness) -> None:
    assert "signed-off-by" not in commit_message(run(timed=True), harness).lower()


def test_a_run_without_a_winner_has_no_message(harness: Harness) -> None:
    with pytest.raises(UsageError) as refused:
        commit_message(run(timed=True, state="no_win"), harness)
    assert str(refused.value) == (
        "run merge_state_kernel-1a2b3c4d has no winner (no_win); see 'kmaint report merge_state_kernel-1a2b3c4d'"
    )
