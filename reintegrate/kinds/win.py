"""What is to be landed, and how each kind of patch answers: with a patch, or with the reason why it is not the one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kmaint.records.evaluation import Evaluation, Passed
from kmaint.records.harness import Harness
from kmaint.records.kernel import Kernel
from kmaint.records.timing import Timing, WorkloadTiming
from kmaint.records.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Win:
    """A winner and what it was measured on. `kernel` is what a scan of the tree says of it: its callers, its tests.

    `python` has torch and triton; None where nothing may be run.
    """

    harness: Harness
    evaluation: Evaluation
    kernel: Kernel | None = None
    python: Path | None = None

    @property
    def source(self) -> str:
        return self.evaluation.candidate.source

    @property
    def timing(self) -> Timing | None:
        verdict = self.evaluation.verdict
        return verdict.timing if isinstance(verdict, Passed) else None

    @property
    def capability(self) -> tuple[int, int] | None:
        """Major and minor of the CUDA architecture that it was timed on; None where it was timed on none."""
        digits = self.evaluation.environment.arch.removeprefix("sm_").replace(".", "").rstrip("af")
        timed = self.evaluation.environment.device is not None and self.timing is not None
        return (int(digits[:-1]), int(digits[-1])) if timed and digits.isdigit() and len(digits) > 1 else None

    @property
    def timings(self) -> tuple[WorkloadTiming, ...]:
        """All that was timed, be it on workloads that the harness has no more."""
        return self.timing.workloads if self.timing else ()

    def timed(self) -> list[tuple[Workload, WorkloadTiming]]:
        """The harness's workloads that were timed, with their times; none where nothing was timed."""
        known = {one.name: one for one in self.harness.contract.workloads}
        return [(known[one.workload], one) for one in self.timings if one.workload in known]

    def lost(self) -> list[WorkloadTiming]:
        """Where it is slower: the whole interval lies below 1, or the ratio by more than the noise."""
        plainly = self.lost_plainly()
        return [one for one in self.timings if one.speedup.high < 1 or one in plainly]

    def lost_plainly(self) -> list[WorkloadTiming]:
        """Where it is slower by more than the noise: what others gain is no excuse for that."""
        floor = 1 - self.timing.noise_floor if self.timing else 0.0
        return [one for one in self.timings if one.speedup.ratio < floor]

    @property
    def unknown(self) -> str:
        """Why nothing can be made of where it won, in one line; empty where its workloads are the harness's."""
        named_otherwise = bool(self.timings) and not self.timed()
        return "it was timed on workloads that this harness does not name" if named_otherwise else ""

    def won(self) -> list[Workload]:
        """Those on which it is faster: the whole interval lies above 1."""
        return [workload for workload, one in self.timed() if one.speedup.low > 1]


@dataclass(frozen=True)
class Declined:
    """Why a kind of patch is not the one."""

    reason: str
