"""Memory: what verdicts teach, what of it is recalled for a case, and how a file carries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmaint.agent.memory import MOST, distinct, lessons_of, read_lessons, recall, weights, write_lessons
from kmaint.errors import UsageError
from kmaint.records.evaluation import Bottleneck, Evaluation, Passed, Slower, Wrong
from kmaint.records.lesson import Lesson
from kmaint.records.run import Budget, Run
from kmaint.records.timing import Interval, WorkloadTiming
from tests.agent.conftest import MACHINE, PROFILE, Judged

judged = Judged()

MERGE = "vllm/v1/attention/ops/triton_merge_attn_states.py::merge_attn_states_kernel"
NORM = "sglang/kernels/ops/elementwise/elementwise.py::fused_rmsnorm_kernel"


def run(*evaluations: Evaluation, kernel: str = MERGE) -> Run:
    return Run(
        id="merge-1a2b",
        harness="merge",
        kernel=kernel,
        provider="test",
        strategy="lines",
        budget=Budget(),
        state="running",
        created="2026-11-01T00:00:00",
        evaluations=evaluations,
        baseline=replace(PROFILE, bottleneck="memory"),
        environment=MACHINE,
    )


def learned(*evaluations: Evaluation) -> list[tuple[str, str, tuple[str, ...], bool]]:
    found = lessons_of(run(*evaluations), "the original")
    return [(one.edit, one.outcome, one.codes, one.estimated) for one in found]


def test_a_win_keeps_slow_and_fast_and_what_held_the_slow_one_back() -> None:
    first = judged.passed("fast", edit="tile_programs", measured=(2.0, 1.9))
    second = judged.passed("faster", edit="reciprocal", parent=first.candidate.id, measured=(2.4, 2.28))
    one, two = lessons_of(run(first, second), "the original")
    assert (one.outcome, one.operation, one.arch, one.kernel) == ("win", "state merge", "sm_90", MERGE)
    assert (one.bottleneck, one.slow, one.fast, one.gain) == ("memory", "the original", "fast", 1.9)
    assert (two.bottleneck, two.slow, two.fast) == ("latency", "fast", "faster")
    assert two.gain == pytest.approx(1.2)
    assert not one.estimated


def test_a_trap_names_why() -> None:
    wrong = judged.wrong("wrong", edit="exp2_for_exp")
    slower = judged.passed("slower", edit="launch_parameters", measured=(0.8, 0.78))
    flat = judged.passed("flat", edit="cache_hints", measured=(1.0, 0.995), win=False)
    uneven = judged.passed("uneven", edit="one_pass", measured=(1.2, 1.19), win=False)
    assert learned(wrong, slower, flat, uneven) == [
        ("exp2_for_exp", "trap", ("mismatch",), False),
        ("launch_parameters", "trap", ("slower",), False),
        ("cache_hints", "trap", ("no_win",), False),
        ("one_pass", "trap", ("no_win",), False),
    ]


def test_what_looks_slower_than_the_original_is_a_trap_unless_it_was_made_from_something_slower() -> None:
    verdict = Slower(reason="0.99x (0.98 to 1.00) by a first look")
    behind = judged.passed("behind", edit="tile_programs", measured=(0.85, 0.84))
    ahead = judged.passed("ahead", edit="reciprocal", measured=(1.2, 1.19))
    left = [
        replace(judged.wrong(name, edit="one_pass", parent=parent), verdict=verdict)
        for name, parent in (("a", None), ("b", behind.candidate.id), ("c", ahead.candidate.id))
    ]
    traps = [found for found in learned(behind, ahead, *left) if found[0] == "one_pass"]
    assert traps == [("one_pass", "trap", ("looks_slower",), False)] * 2


def test_what_was_never_timed_is_marked_estimated() -> None:
    assert learned(judged.passed("a", edit="tile_programs", expected=1.4)) == [("tile_programs", "win", (), True)]
    assert learned(judged.passed("a", edit="tile_programs")) == []


def test_a_repair_is_a_lesson_on_what_the_repaired_was_made_from() -> None:
    wrong = judged.wrong("wrong", edit="tile_programs")
    repaired = judged.passed("right", edit="tile_programs", parent=wrong.candidate.id, measured=(1.5, 1.4))
    _, lesson = lessons_of(run(wrong, repaired), "the original")
    assert (lesson.outcome, lesson.slow, lesson.gain) == ("win", "the original", 1.4)


def test_a_verdict_on_the_machine_or_the_harness_teaches_nothing() -> None:
    one = judged.wrong("a")
    assert isinstance(one.verdict, Wrong)
    unjudged = replace(one, verdict=replace(one.verdict, codes=("not_run",)))
    assert learned(unjudged) == []


def lesson(edit: str, *, gain: float | None = 1.5, kernel: str = MERGE, estimated: bool = False) -> Lesson:
    known = next(lessons_of(run(judged.passed("fast", edit=edit, measured=(1.5, 1.5)), kernel=kernel), "slow"))
    if gain is None:
        return replace(known, outcome="trap", gain=None, codes=("mismatch",), reason="off")
    return replace(known, gain=gain, estimated=estimated)


def edits(found: Sequence[Lesson]) -> list[str]:
    return [one.edit for one in found]


def test_the_nearest_case_comes_first_and_is_not_mixed_with_farther_ones() -> None:
    exact = lesson("exact", gain=1.1)
    same_operation = replace(lesson("operation", gain=1.9), bottleneck="compute")
    same_bottleneck = lesson("bottleneck", gain=3.0, kernel=NORM)
    unrelated = replace(lesson("unrelated", kernel=NORM), bottleneck="compute")
    contradicted = lesson("exact", gain=None, kernel=NORM)
    known = [unrelated, same_bottleneck, contradicted, same_operation, exact]
    found = recall(known, operation="state merge", arch="sm_90", bottleneck="memory")
    assert edits(found) == ["exact", "operation", "bottleneck"]
    assert found[0].outcome == "win"
    elsewhere = recall(known, operation="state merge", arch="sm_100", bottleneck="memory")
    assert set(edits(elsewhere)) == {"exact", "operation", "bottleneck"}
    assert recall(known, operation="rotary", arch="sm_90", bottleneck="library") == ()


def test_what_more_kernels_agree_on_comes_first_and_what_was_measured_stands_for_them() -> None:
    often = [lesson("often", gain=1.1), lesson("often", gain=1.6, estimated=True)]
    often.append(replace(lesson("often", gain=1.2), kernel="sglang/merge_state.py::merge_state_kernel"))
    found = recall([lesson("once", gain=2.5), *often], operation="state merge", arch="sm_90", bottleneck="memory")
    assert [(one.edit, one.agreeing, one.gain) for one in found] == [("often", 2, 1.2), ("once", 1, 2.5)]


BOTTLENECKS: tuple[Bottleneck, ...] = ("memory", "latency")
known_lessons = st.lists(
    st.builds(
        lambda edit, gain, kernel, bottleneck: replace(lesson(edit, gain=gain, kernel=kernel), bottleneck=bottleneck),
        st.sampled_from(["a", "b", "c", "d", "e"]),
        st.sampled_from([None, 1.2, 2.0]),
        st.sampled_from([MERGE, NORM]),
        st.sampled_from(BOTTLENECKS),
    ),
    max_size=12,
)


@settings(max_examples=30)
@given(known_lessons, st.integers(1, MOST))
def test_recall_gives_no_more_than_asked_each_conclusion_once_and_only_what_it_was_given(
    known: list[Lesson], most: int
) -> None:
    found = recall(known, operation="state merge", arch="sm_90", bottleneck="memory", most=most)
    assert len(found) <= most
    assert len({(one.edit, one.outcome) for one in found}) == len(found)
    assert all(replace(one, agreeing=1) in known for one in found)
    assert all(one.operation == "state merge" or one.bottleneck == "memory" for one in found)


def test_weights_speak_for_wins_and_against_traps() -> None:
    doubted = [lesson("doubted", gain=1.5), replace(lesson("doubted", gain=None), agreeing=3)]
    says = weights([lesson("won", gain=1.5), *doubted, lesson("failed", gain=None)])
    assert says["won"] > says["doubted"] > 0 > says["failed"]


@settings(max_examples=20)
@given(known_lessons)
def test_a_file_gives_back_what_it_was_given_and_takes_nothing_twice(
    tmp_path_factory: pytest.TempPathFactory, known: list[Lesson]
) -> None:
    file = tmp_path_factory.mktemp("memory") / "lessons.jsonl"
    assert write_lessons(file, known) == len(distinct(known))
    assert read_lessons(file) == distinct(known)
    assert write_lessons(file, known) == 0


def test_a_file_that_holds_something_else_is_refused_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "lessons.jsonl"
    write_lessons(file, [lesson("a")])
    file.write_text(file.read_text() + '{"schema": "kmaint.scan/1"}\n')
    with pytest.raises(UsageError, match=r"lessons\.jsonl:2: not a lesson: ") as error:
        read_lessons(file)
    assert error.value.hint == "each line is one of kmaint.lesson/1"
    with pytest.raises(UsageError, match="no such file of lessons"):
        read_lessons(tmp_path / "missing")


def test_the_slowest_workload_is_named_where_a_gain_is_no_win() -> None:
    uneven = judged.passed("uneven", measured=(1.2, 1.19), win=False)
    assert isinstance(uneven.verdict, Passed)
    assert uneven.verdict.timing is not None
    workloads = tuple(
        WorkloadTiming(workload=name, weight=1.0, original_us=(), candidate_us=(), speedup=found, noise=found)
        for name, found in (("T64", Interval(ratio=0.9, low=0.9, high=0.9)), ("T768", uneven.verdict.timing.speedup))
    )
    timing = replace(uneven.verdict.timing, workloads=workloads)
    (one,) = lessons_of(run(replace(uneven, verdict=replace(uneven.verdict, timing=timing))), "the original")
    assert (one.codes, one.reason) == (("no_win",), "1.19x in all, and 0.90x at T64")
