"""Runs of a real harness, with every kind of ending; times are given here, and stand in no other file of the tests."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from kmaint.folder import read_harness
from kmaint.records.change import Check, Landing
from kmaint.records.engine import Accuracy, Engaged, EngineBench, Leg, Likeness, Phase, Point, PointResult, Sample
from kmaint.records.evaluation import (
    Candidate,
    Crashed,
    Dishonest,
    Environment,
    Evaluation,
    NotBuilt,
    Numerics,
    Passed,
    Plan,
    Profile,
    Resources,
    Rung,
    RungName,
    TimedOut,
    Verdict,
    Wrong,
)
from kmaint.records.exchange import Usage
from kmaint.records.harness import Harness
from kmaint.records.run import Budget, Run
from kmaint.records.spent import Spent
from kmaint.records.timing import Interval, Timing, WorkloadTiming
from reports.evidence import ON_DEMAND
from reports.page import Account

CASE = Path(__file__).parents[1] / "reintegrate" / "cases" / "merge_state"
ORIGINAL, WINNER = (CASE / "kernel.py").read_text(), (CASE / "winner.py").read_text()
RUNGS: tuple[RungName, ...] = tuple(name for name in get_args(RungName) if name not in ON_DEMAND)

H200 = Environment(
    device="NVIDIA H200",
    device_uuid="GPU-0",
    arch="sm_90",
    driver="580.65",
    python="3.12.3",
    torch="2.11.0+cu130",
    triton="3.6.0",
    cuda="13.0",
    platform="Linux-6.8 x86_64",
    multiprocessors=132,
    l2_bytes=60 * 2**20,
    memory_bandwidth_gbps=4012.4,
    clocks_mhz=(1980, 1965),
)
NO_GPU = replace(
    H200,
    device=None,
    device_uuid=None,
    driver=None,
    cuda=None,
    multiprocessors=None,
    l2_bytes=None,
    memory_bandwidth_gbps=None,
    clocks_mhz=(),
)


def plan(edit: str, why: str) -> Plan:
    return Plan(bottleneck="latency", edit=edit, why=why)


def candidate(source: str, edit: str, why: str, *, parent: str | None = None) -> Candidate:
    name = f"{abs(sum(ord(c) * (i + 1) for i, c in enumerate(edit))):012x}"[:12]
    return Candidate(id=name, source=source, parent=parent, plan=plan(edit, why), provider="builtin")


def samples(median_us: float, count: int = 21) -> tuple[float, ...]:
    return tuple(round(median_us * (1 + 0.002 * ((i * 7) % count - count // 2)), 4) for i in range(count))


def timing(medians: tuple[tuple[float, float, float | None], ...], overall: Interval) -> Timing:
    """Workloads T64, T768 and T4096 with their medians before and after, and their floor, in microseconds."""
    timed = tuple(
        WorkloadTiming(
            workload=name,
            weight=1 / 3,
            original_us=samples(before),
            candidate_us=samples(after),
            speedup=Interval(ratio=before / after, low=before / after - 0.006, high=before / after + 0.007),
            noise=Interval(ratio=1.0005, low=0.9961, high=1.0049),
            eager=Interval(ratio=1.002, low=0.99, high=1.01) if name != "T4096" else None,
            floor_us=floor,
        )
        for name, (before, after, floor) in zip(("T64", "T768", "T4096"), medians, strict=True)
    )
    return Timing(workloads=timed, speedup=overall, noise_floor=0.01)


def passed(found: Timing | None, *, win: bool) -> Passed:
    return Passed(
        numerics=Numerics(
            kind="rounding-only", oracle=True, original_error=3.1e-3, candidate_error=3.2e-3, max_difference=4.9e-4
        ),
        profile=Profile(
            bottleneck="memory",
            estimated=found is None,
            resources=(resources(26, 1),),
            roofline_fraction=0.83 if found else None,
            next_step="nothing: it is near the roofline",
        ),
        timing=found,
        win=win,
    )


def resources(registers: int, warps: int) -> Resources:
    return Resources(
        kernel="merge_state_kernel",
        arch="sm_90",
        registers=registers,
        shared_bytes=0,
        spill_bytes=0,
        load_bits=64,
        store_bits=64,
        instructions=212,
        num_warps=warps,
        num_stages=3,
        workload="T768",
    )


def rungs(last: RungName, *, failed: bool = False, skipped: tuple[RungName, ...] = ()) -> tuple[Rung, ...]:
    climbed = [name for name in RUNGS[: RUNGS.index(last) + 1] if name not in skipped]
    return tuple(
        Rung(name=name, passed=not (failed and name == last), seconds=0.4 + 1.3 * number)
        for number, name in enumerate(climbed)
    )


def judged(one: Candidate, verdict: Verdict, climbed: tuple[Rung, ...], machine: Environment) -> Evaluation:
    return Evaluation(candidate=one, verdict=verdict, rungs=climbed, environment=machine)


def rejected(machine: Environment) -> tuple[Evaluation, ...]:
    """One candidate for each way to be refused; the texts hold what HTML and markdown would trip over."""
    wrong = Wrong(
        reason="return[0][0, 3, 7] is 0.5, not 0.25 within 0.016; 12 of 4096 elements differ",
        codes=("mismatch",),
        log="T=1 H=1 D=64\n<b>not bold</b> & more",
    )
    rest = (
        (candidate(ORIGINAL, "block_rows", "4 rows a program"), wrong, rungs("interpreter", failed=True)),
        (
            candidate(ORIGINAL, "num_warps=64", "more | warps"),
            NotBuilt(reason="num_warps=64 is more than 32 allowed", codes=("compile_error",)),
            rungs("compile", failed=True),
        ),
        (
            candidate(ORIGINAL, "cache by pointer", "skip what was seen <before>"),
            Dishonest(reason="gives an earlier call's output for new data", codes=("no_kernel_launched",)),
            rungs("integrity", failed=True),
        ),
        (
            candidate(ORIGINAL, "unmasked load", "the tail is never read"),
            Crashed(reason="its process ended by SIGSEGV on T=65536", codes=("signal",)),
            rungs("device", failed=True),
        ),
        (
            candidate(ORIGINAL, "persistent loop", "one program a multiprocessor"),
            TimedOut(reason="no answer within 60 s for T=300"),
            rungs("interpreter", failed=True),
        ),
    )
    return tuple(judged(one, verdict, climbed, machine) for one, verdict, climbed in rest)


def made(state: str, evaluations: tuple[Evaluation, ...], machine: Environment, *, best: str | None) -> Run:
    baseline = Profile(
        bottleneck="memory",
        estimated=machine.device is None,
        resources=(resources(30, 4),),
        roofline_fraction=0.66 if machine.device else None,
        next_step="fewer warps",
    )
    return Run(
        id="merge_state_kernel-1a2b3c4d",
        harness="harnesses/merge_state",
        kernel="sglang/kernels/ops/attention/merge_state.py::merge_state_kernel",
        provider="builtin",
        strategy="lines",
        budget=Budget(),
        state=state,  # type: ignore[arg-type]
        created="2026-11-21T05:00:00+00:00",
        evaluations=evaluations,
        best=best,
        baseline=baseline,
        environment=machine,
    )


WARPS = candidate(WINNER, "num_warps", "num_warps=1: a row of 128 elements fills one warp")
KEPT = candidate(WINNER, "keep_exponentials", "two of four were computed twice", parent=WARPS.id)
CACHED = candidate(ORIGINAL, "cache_hints", "evict_first on the outputs: nobody reads them again here")


@pytest.fixture
def harness() -> Harness:
    return read_harness(CASE)


@pytest.fixture
def won() -> Run:
    first = timing(
        ((4.11, 3.61, 0.9), (21.4, 19.8, 15.9), (101.3, 98.2, 84.1)), Interval(ratio=1.08, low=1.07, high=1.09)
    )
    second = timing(
        ((4.11, 3.12, 0.9), (21.4, 18.9, 15.9), (101.3, 102.6, 84.1)), Interval(ratio=1.1383, low=1.1301, high=1.1466)
    )
    third = timing(
        ((4.11, 4.1, None), (21.4, 21.5, None), (101.3, 101.9, None)), Interval(ratio=0.998, low=0.99, high=1.004)
    )
    timed = (
        judged(WARPS, passed(first, win=True), rungs("profile"), H200),
        judged(KEPT, passed(second, win=True), rungs("profile"), H200),
        judged(CACHED, passed(third, win=False), rungs("profile"), H200),
    )
    return made("won", (*timed, *rejected(H200)), H200, best=KEPT.id)


@pytest.fixture
def no_win(won: Run) -> Run:
    return replace(won, state="no_win", best=None, evaluations=won.evaluations[2:4])


@pytest.fixture
def untimed() -> Run:
    without = ("device", "integrity", "time", "sanitizer")
    one = judged(KEPT, passed(None, win=False), rungs("profile", skipped=without), NO_GPU)  # type: ignore[arg-type]
    return made("won", (one, *rejected(NO_GPU)[:2]), NO_GPU, best=KEPT.id)


@pytest.fixture
def empty() -> Run:
    return made("no_win", (), NO_GPU, best=None)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    diff = (Path(__file__).parent / "cases" / "win.diff").read_text()
    return Landing(
        tree=str(tmp_path),
        branch="kmaint/merge_state_kernel-1a2b3c4d",
        commit="c" * 40,
        base="b" * 40,
        diff=diff,
        stat="1 file changed, 6 insertions(+), 3 deletions(-)",
        patch_file=str(tmp_path / "win.patch"),
        author="A Maintainer <maintainer@example.com>",
        kind="guarded",
        reason="it wins on T64 and loses on T4096",
        checks=(
            Check(name="outside the guard", state="passed", detail="9 cases go where they should"),
            Check(name="lint", state="not_run", detail="no .pre-commit-config.yaml in the tree: a wheel leaves it out"),
        ),
    )


@pytest.fixture
def spent() -> Spent:
    usage = Usage(requests=3, input_tokens=41_000, output_tokens=9_500, cost_usd=None)
    return Spent(candidates=8, usage=usage, faults=1, device_minutes=7.5, wall_minutes=12.25)


def served_at(phase: Phase, batch: int, context: int, seconds: dict[Leg, float], ratio: float) -> PointResult:
    """A point of four visits a leg, whose medians are these."""
    tokens = 64 if phase == "decode" else 1
    samples: dict[Leg, tuple[Sample, ...]] = {
        leg: tuple(
            Sample(seconds=one * drift, first_s=0.05 * drift, token_s=one * drift / 64 if tokens > 1 else None)
            for drift in (0.998, 1.0, 1.0, 1.002)
        )
        for leg, one in seconds.items()
    }
    throughput = Interval(ratio=ratio, low=ratio - 0.01, high=ratio + 0.01)
    return PointResult(
        point=Point(phase=phase, batch=batch, context=context, tokens=tokens),
        samples=samples,
        throughput=throughput,
        first_token=Interval(ratio=1.004, low=0.991, high=1.017),
        token=throughput if tokens > 1 else None,
        noise=Interval(ratio=1.001, low=0.994, high=1.006),
    )


@pytest.fixture
def engine(won: Run) -> EngineBench:
    """A gain where the context is long, a loss where it is not, and a likeness that rounding breaks."""
    return EngineBench(
        runs=(won.id,),
        engine="sglang",
        version="0.5.17",
        device="NVIDIA H200",
        model="models/<a-model>",
        arguments={"mem_fraction_static": 0.28, "load_format": "dummy"},
        files=("sglang/kernels/ops/attention/merge_state.py",),
        digests={"base": "a" * 64, "patched": "b" * 64},
        points=(
            served_at("decode", 1, 16384, {"base": 0.64, "patched": 0.5, "again": 0.641}, 1.28),
            served_at("decode", 16, 2048, {"base": 0.72, "patched": 0.75, "again": 0.721}, 0.96),
            served_at("prefill", 4, 2048, {"base": 0.2, "patched": 0.2, "again": 0.2}, 1.0),
        ),
        speedup=Interval(ratio=1.071, low=1.062, high=1.08),
        noise=Interval(ratio=1.001, low=0.997, high=1.004),
        engaged=(Engaged(place="sglang/kernels/ops/attention/merge_state.py::merge_state_kernel", count=4096),),
        likeness=Likeness(
            contract="log-probabilities within 0.05 nats up to the first difference, and that a tie within as much",
            sequences=21,
            identical=20,
            common_tokens=15.2,
            worst_nats=0.31,
            holds=False,
            reason="log-probabilities lie 0.31 nats apart",
        ),
        accuracy=(Accuracy(leg="base", code=0, said="0.912"), Accuracy(leg="patched", code=1, said="")),
    )


@pytest.fixture
def together(engine: EngineBench) -> EngineBench:
    """The same patch in an engine among those of another run."""
    holds = replace(engine.likeness, holds=True, reason="", worst_nats=0.01)
    overall = Interval(ratio=1.19, low=1.17, high=1.21)
    return replace(engine, runs=(*engine.runs, "quant-9a8b"), speedup=overall, likeness=holds, accuracy=())


@pytest.fixture
def account(won: Run, harness: Harness, spent: Spent, landing: Landing, engine: EngineBench) -> Account:
    """All that can be known of a run."""
    return Account(run=won, harness=harness, spent=spent, landing=landing, engines=(engine,))
