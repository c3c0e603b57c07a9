"""Rewrite the table of the first runs in docs/measured.md from their files under benchmarks/results.

python -m benchmarks.table            writes docs/measured.md between its markers
python -m benchmarks.table --check    exits 1 if docs/measured.md does not say what the results say
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from benchmarks.pages import Place
from kmaint import wire
from kmaint.records.evaluation import Evaluation, Passed
from kmaint.records.run import Run
from kmaint.records.timing import Interval, Timing, WorkloadTiming

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "benchmarks" / "results" / "2026-11-21-h200"
PLACE = Place("docs/measured.md", "results", "benchmarks/table.py")
HEAD = (
    "| kernel (release) | workload | shipped us | kmaint us | speedup (95 %) | of roofline, before and after |",
    "| --- | --- | --- | --- | --- | --- |",
)


def main() -> None:
    check = "--check" in sys.argv
    sys.exit(PLACE.put(table(), check=check) and check)


def table() -> str:
    """All of the first runs, kernels in name order, every workload, those that lost too."""
    lines = [*HEAD]
    for path in sorted(RUNS.glob("*.json")):
        content = json.loads(path.read_text())
        lines.extend(rows(wire.load(Run, content["run"]), content["harness"]["provenance"]))
    return "\n".join(lines)


def rows(run: Run, provenance: dict[str, str]) -> list[str]:
    release = f"{provenance['framework']} {provenance['version']}"
    name = f"`{run.kernel.split('::')[-1]}` ({release})"
    shown = run.winner or best_timed(run)
    timing = timing_of(shown) if shown else None
    if shown is None or timing is None:
        stands = run.baseline.roofline_fraction if run.baseline else None
        return [
            f"| **{name}** | all, weighted; no win: {_tried(run)} | | | | {'' if stands is None else f'{stands:.2f}'} |"
        ]
    won = "win" if run.winner else "no win"
    edit = f"{won}: {shown.candidate.plan.edit}, {numerics(shown)}"
    total = f"| **{name}** | all, weighted; {edit} | | | **{interval(timing.speedup)}** | |"
    return [total, *(workload_row(item) for item in timing.workloads)]


def _tried(run: Run) -> str:
    """What became of a run in which nothing was timed."""
    if not run.evaluations:
        return "no variant looked faster"
    first = run.evaluations[0]
    return f"{first.candidate.plan.edit} was {first.verdict.kind}"


def best_timed(run: Run) -> Evaluation | None:
    timed = [(found.speedup.low, evaluation) for evaluation in run.evaluations if (found := timing_of(evaluation))]
    return max(timed, key=lambda pair: pair[0])[1] if timed else None


def timing_of(evaluation: Evaluation) -> Timing | None:
    return evaluation.verdict.timing if isinstance(evaluation.verdict, Passed) else None


def numerics(evaluation: Evaluation) -> str:
    return evaluation.verdict.numerics.kind if isinstance(evaluation.verdict, Passed) else ""


def workload_row(item: WorkloadTiming) -> str:
    shipped, ours = statistics.median(item.original_us), statistics.median(item.candidate_us)
    roofline = f"{item.floor_us / shipped:.2f}, {item.floor_us / ours:.2f}" if item.floor_us else ""
    return f"| | {item.workload} | {shipped:.1f} | {ours:.1f} | {interval(item.speedup)} | {roofline} |"


def interval(found: Interval) -> str:
    return f"{found.ratio:.2f}x ({found.low:.2f} to {found.high:.2f})"


if __name__ == "__main__":
    main()
