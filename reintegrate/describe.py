"""A win in the words of a commit message; pure, and every number in it is one that the records hold."""

from __future__ import annotations

import textwrap

from kmaint.errors import UsageError
from kmaint.policy import TITLE_LIMIT, title_for
from kmaint.records.evaluation import Evaluation, Numerics, Passed
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.records.timing import Timing


def commit_message(run: Run, harness: Harness) -> str:
    """Subject, what changed, what was measured, how to repeat it. UsageError where the run has no winner.

    No sign-off: that is a person's to give.
    """
    winner = run.winner
    if winner is None or not isinstance(winner.verdict, Passed):
        raise UsageError(f"run {run.id} has no winner ({run.state})", f"see 'kmaint report {run.id}'")
    verdict = winner.verdict
    paragraphs = [
        title_for(harness, winner),
        *(_wrapped(f"{one.plan.edit}: {one.plan.why}") for one in run.lineage(winner.candidate)),
        _measured(verdict.timing, winner) if verdict.timing else _unmeasured(),
        _wrapped(_numerics(verdict.numerics)),
        _repeat(run, harness),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _measured(timing: Timing, winner: Evaluation) -> str:
    on = f"{winner.environment.device}, torch {winner.environment.torch}, triton {winner.environment.triton}"
    overall = timing.speedup
    lines = [
        _wrapped(
            f"Measured on {on}: {overall.ratio:.3f}x (95 % interval {overall.low:.3f} to {overall.high:.3f}), "
            "the weighted geometric mean of original over new time:"
        ),
        *(
            f"    {one.workload}: {one.speedup.ratio:.3f}x ({one.speedup.low:.3f} to {one.speedup.high:.3f})"
            for one in timing.workloads
        ),
    ]
    return "\n".join(lines)


def _unmeasured() -> str:
    return _wrapped("Not timed: there was no GPU. This commit claims no speedup, and is not ready to be proposed.")


def _numerics(numerics: Numerics) -> str:
    if numerics.kind == "bit-exact":
        return "Results are the same to the bit on every workload and every generated case."
    return f"Results differ in rounding only: at most {numerics.max_difference:.3g}."


def _repeat(run: Run, harness: Harness) -> str:
    origin = harness.provenance
    release = f"{origin.framework} {origin.version or ''}".strip()
    at = f" at {origin.commit}" if origin.commit else ""
    said = f"Found by kmaint in run {run.id}; written with machine assistance. Cut from {release}{at}. To repeat:"
    commands = [f"    kmaint extract TREE '{harness.id}' -o DIR", "    kmaint check HARNESS WINNER"]
    return "\n".join([_wrapped(said), *commands])


def _wrapped(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), TITLE_LIMIT, break_long_words=False, break_on_hyphens=False)
