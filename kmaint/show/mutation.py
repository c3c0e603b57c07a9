"""What a suite noticed of planted defects: a table for people or one JSON object for scripts, and the exit code."""

from __future__ import annotations

from collections import Counter

from kmaint.console import DONE, NO, Format, print_lines, print_object, print_table
from kmaint.records.mutation import Judged, Mutation, State
from kmaint.wire import dump

STATES: tuple[State, ...] = ("killed", "survived", "rounding", "unchanged", "not_built")
PASSED: tuple[State, ...] = ("survived", "rounding", "unchanged")
"""How a mutant can end that the suite let through."""


def mutation(found: Mutation, at_least: float, output: Format) -> int:
    """Counts, the scores and every survivor with its reason; the answer is no below so many per cent."""
    reached = found.score is not None and 100 * found.score >= at_least
    if output is Format.JSON:
        print_object("kmaint.mutate/1", fields(found))
    else:
        kinds = sorted({one.operator for one in found.judged})
        columns = ("defect", *(state.replace("_", " ") for state in STATES))
        print_table(columns, [_row(found, kind) for kind in kinds])
        for state in PASSED:
            print_lines(f"{state}: {_line(one)}" for one in found.ended(state))
        print_lines([_total(found, at_least)])
    return DONE if reached else NO


def fields(found: Mutation) -> dict[str, object]:
    """The object that `kmaint.mutate/1` names."""
    counts: dict[str, int] = {state: found.counted(state) for state in STATES}
    return {
        "harness": found.harness,
        "counts": {"planted": found.planted, "tried": len(found.judged), "reused": found.reused, **counts},
        "changing": found.changing,
        "score": found.score,
        "strict_score": found.strict_score,
        "killed_by": dict(Counter(one.by for one in found.ended("killed"))),
        "survivors": [dump(one) for one in found.ended("survived")],
        "rounding": [dump(one) for one in found.ended("rounding")],
        "unchanged": [dump(one) for one in found.ended("unchanged")],
        "mutants": [dump(one) for one in found.ended("killed", "not_built")],
        "seconds": found.seconds,
    }


def _row(found: Mutation, kind: str) -> tuple[str, ...]:
    counts = Counter(one.state for one in found.judged if one.operator == kind)
    return kind, *(str(counts[state]) for state in STATES)


def _line(one: Judged) -> str:
    return f"{one.operator} in {one.function}, line {one.line}: {one.sentence}; {one.reason}"


def _total(found: Mutation, at_least: float) -> str:
    if found.score is None:
        return "no mutant that changes behaviour was found, so there is nothing to score"
    told = f"{found.counted('killed')} of {found.changing} mutants that change behaviour are killed"
    strict = f" ({found.strict_score:.1%} with those within the tolerance)" if found.counted("rounding") else ""
    rest = "" if len(found.judged) == found.planted else f"; {len(found.judged)} of {found.planted} were tried"
    return f"{told}: {found.score:.1%}{strict}, at least {at_least:g} % wanted{rest}"
