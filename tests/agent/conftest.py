"""A real harness of one small SGLang kernel with a suite of two cases, and one survey of this interpreter for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.agent.chain import Session, original
from kmaint.agent.proposal import Failure, Parent, Provider, Request
from kmaint.agent.strategies import STRATEGIES
from kmaint.evaluate import Bench, Screened, baseline, open_bench, warmed
from kmaint.records.evaluation import (
    Candidate,
    Environment,
    Evaluation,
    Numerics,
    Passed,
    Plan,
    Profile,
    Rung,
    Verdict,
    Wrong,
)
from kmaint.records.harness import Harness
from kmaint.records.timing import Interval, Timing
from tests.merged import harness_in

CASES = Path(__file__).parent / "cases"


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """This interpreter without a GPU, so that the tests say the same everywhere; warm, as commands use it."""
    with warmed(open_bench(device="none")) as found:
        yield found


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    """merge_state of SGLang 0.5.17 in a folder of its own."""
    return harness_in(tmp_path_factory.mktemp("harness") / "merge_state")


@pytest.fixture(scope="session")
def profile(harness: Harness, bench: Bench) -> Profile:
    """The original's own."""
    return baseline(harness, bench)


MACHINE = Environment(
    device=None,
    device_uuid=None,
    arch="sm_90",
    driver=None,
    python="3.11",
    torch="2.13.0",
    triton="3.7.1",
    cuda=None,
    platform="linux",
    multiprocessors=None,
    l2_bytes=None,
    memory_bandwidth_gbps=None,
)
PROFILE = Profile(bottleneck="latency", estimated=True, resources=(), roofline_fraction=None, next_step="time it")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Makes verdicts for what only reads them: strategies, budgets, the choice of a winner."""

    seconds: float = 30.0

    def passed(
        self,
        source: str,
        *,
        parent: str | None = None,
        edit: str = "",
        expected: float | None = None,
        measured: tuple[float, float] | None = None,
        win: bool = True,
    ) -> Evaluation:
        """Passed; `measured` is the ratio and its lower bound."""
        timing = None
        if measured is not None:
            speedup = Interval(ratio=measured[0], low=measured[1], high=2 * measured[0] - measured[1])
            timing = Timing(workloads=(), speedup=speedup, noise_floor=0.01)
        numerics = Numerics(
            kind="bit-exact", oracle=False, original_error=None, candidate_error=None, max_difference=0.0
        )
        verdict = Passed(numerics=numerics, profile=PROFILE, timing=timing, win=win and measured is not None)
        return self._evaluation(verdict, source, parent=parent, edit=edit, expected=expected)

    def wrong(self, source: str, *, parent: str | None = None, edit: str = "") -> Evaluation:
        return self._evaluation(Wrong(reason="off by one", codes=("mismatch",)), source, parent=parent, edit=edit)

    def _evaluation(
        self, verdict: Verdict, source: str, *, parent: str | None, edit: str, expected: float | None = None
    ) -> Evaluation:
        plan = Plan(bottleneck="latency", edit=edit or source, why="a test", expected=expected)
        candidate = Candidate(id=wire.digest(source), source=source, parent=parent, plan=plan, provider="test")
        rung = Rung(name="lint", passed=True, seconds=self.seconds)
        return Evaluation(candidate=candidate, verdict=verdict, rungs=(rung,), environment=MACHINE)


RECORDED = Path(__file__).parent / "recorded"
SECRETS = ("seed=", "432758847", "-1.09375", "0.484375", "T=17", "reference.py", "test_kernel")
"""What the gate drew and what it expects: in the history below, and in no prompt."""


def looked_up(harness: Harness, bench: Bench, provider: Provider, strategy: str, edits: Mapping[str, str]) -> Session:
    """A session whose candidates are the original with one of the edits; each is known to pass and to gain nothing."""
    sources = [original(harness).replace(old, new) for old, new in edits.items()]
    return Session(
        harness=harness,
        bench=bench,
        provider=provider,
        strategy=STRATEGIES[strategy],
        baseline=PROFILE,
        ranks={wire.digest(source): Screened(ratio=1.0, estimated=True) for source in sources},
        judge=lambda candidate: replace(Judged().passed(candidate.source), candidate=candidate),
    )


def no_screen(_sources: Sequence[str]) -> list[Screened]:
    raise AssertionError("a prompt ranks nothing")


@pytest.fixture
def request_(harness: Harness) -> Request:
    """After two attempts, one of them wrong."""
    source = original(harness)
    failed = Judged().wrong(source.replace("tl.exp(p_lse) / out_se", "out_se"), edit="hoist the division")
    reason = "Case(T=17, DT='bfloat16', seed=432758847): return[0][0, 3] is 0.484375, not -1.09375 exactly"
    failed = replace(failed, verdict=Wrong(reason=reason, codes=("mismatch",), log=f"E   {reason}\nE   in merge_state"))
    history = (Judged().passed("another", edit="sixteen warps", measured=(1.02, 1.01)), failed)
    parent = Parent(id=None, source=source, profile=PROFILE, ratio=1.0)
    return Request(harness=harness, parent=parent, history=history, screen=no_screen)


@pytest.fixture
def repair_request(request_: Request) -> Request:
    last = request_.history[-1]
    assert isinstance(last.verdict, Wrong)
    return replace(request_, failed=Failure(candidate=last.candidate, reason=last.verdict.reason))


@pytest.fixture
def plan() -> Plan:
    return Plan(bottleneck="latency", edit="one reciprocal", why="one division instead of two", anchor=(60, 61))


@pytest.fixture
def hold(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Holds a prompt against its recording, and looks that it gives nothing away."""

    def check(name: str, prompt: str) -> None:
        assert [secret for secret in SECRETS if secret in prompt] == []
        file = RECORDED / f"{name}.md"
        if request.config.getoption("--update-recordings"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(prompt)
        assert prompt == file.read_text()

    return check
