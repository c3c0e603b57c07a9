"""What the gate drew stays with the gate: sizes, seeds and expected values are in nothing that a proposer is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.agent.proposal import Parent, Proposal, Request
from kmaint.agent.roles.shown import (
    DIFF_LINES,
    LOG_LINES,
    attempts,
    lesson_line,
    lesson_text,
    log_tail,
    profile_lines,
    reason_of,
    scrubbed,
    taught,
    wishes,
)
from kmaint.records.counters import Counters, KernelCounters
from kmaint.records.evaluation import NotBuilt, Resources, Wrong
from kmaint.records.lesson import Lesson
from tests.agent.conftest import PROFILE, Judged

judged = Judged()
REASON = (
    "Case(T=17, H=3, D=64, DT='bfloat16', seed=432758847): return[0][0, 0, 5] is 0.484375, not -1.09375 within 0.016 "
    "(one rounding to bfloat16 more or less: 2^-7 relative); 255 of 256 elements differ"
)


def test_of_a_wrong_result_the_kind_of_case_and_the_share_are_told() -> None:
    assert scrubbed(REASON) == (
        "a case of bfloat16: return[..][..] is not what the original gives within 0.016 "
        "(one rounding to bfloat16 more or less: 2^-7 relative); 100 % of the elements differ"
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("return: shape is (17, 3), not (17, 3, 64)", "return: shape is not what the original gives"),
        ("Case(T=5, pokes=[('x', 5, 'nan')]): argument x was written", "a case: argument x was written"),
        (
            "output: torch.float32 (3, 4), not torch.float16 (3, 5)",
            "output: torch.float32 [..], not torch.float16 [..]",
        ),
        ("E  assert tensor([[1., 2.]]) is close", "E  assert a tensor is close"),
        ("does not parse: line 61: invalid syntax", "does not parse: line 61: invalid syntax"),
        ("NameError: prefix_scale is not defined", "NameError: prefix_scale is not defined"),
    ],
)
def test_each_way_in_which_the_gate_speaks(said: str, shown: str) -> None:
    assert scrubbed(said) == shown


@given(st.integers(1000, 99999), st.integers(1000, 99999), st.floats(1e3, 1e6), st.floats(1e3, 1e6))
def test_no_drawn_number_gets_through(size: int, seed: int, got: float, want: float) -> None:
    case = f"Case(T={size}, DT='float16', seed={seed})"
    said = f"{case}: return[{size}, 0] is {got!r}, not {want!r} exactly; 3 of 9 elements"
    for number in (str(size), str(seed), repr(got), repr(want)):
        assert number not in scrubbed(said)


def test_of_a_log_the_end_is_shown_without_lines_that_give_away_more() -> None:
    case = REASON.partition(":")[0]
    failing = ["Falsifying example: test(", f"    case={case})", "You can reproduce with seed 7", ""]
    log = "\n".join([*(f"step {n}" for n in range(100)), *failing])
    shown = log_tail(Wrong(reason="r", codes=("mismatch",), log=log)).splitlines()
    assert len(shown) == LOG_LINES
    assert shown[-3:] == ["step 99", "Falsifying example: test(", "    case=a case of bfloat16)"]


def test_what_a_compiler_says_is_shown_whole() -> None:
    said = NotBuilt(reason="tile [64, 128] is int32, not float32", codes=("compile_error",), log="seed\n[64, 128]\n")
    assert reason_of(said) == said.reason
    assert log_tail(said) == "seed\n[64, 128]"


def test_attempts_say_what_was_tried_and_what_became_of_it() -> None:
    wrong = judged.wrong("b", parent="0a1b", edit="wider loads")
    wrong = replace(wrong, verdict=Wrong(reason=REASON, codes=("mismatch",)))
    history = [
        judged.passed("a", edit="tiles", measured=(1.25, 1.2)),
        wrong,
        judged.passed("c", edit="warps", expected=1.1),
        judged.passed("d", edit="stages"),
    ]
    told = attempts(history)
    assert [one.parent for one in told] == ["the original", "0a1b", "the original", "the original"]
    assert [one.outcome for one in told] == [
        "right, 1.25x the original's speed (1.20 to 1.30)",
        f"wrong: {scrubbed(REASON)}",
        "right, not timed; 1.10x by estimate",
        "right, not timed",
    ]


def test_a_profile_says_what_was_measured_and_what_was_not() -> None:
    compiled = Resources(
        kernel="k",
        arch="sm_90",
        registers=40,
        shared_bytes=0,
        spill_bytes=8,
        load_bits=32,
        store_bits=16,
        instructions=120,
        num_warps=4,
        num_stages=3,
        workload="T64",
    )
    lines = profile_lines(replace(PROFILE, resources=(compiled,), roofline_fraction=0.42))
    assert lines == [
        "bottleneck: latency (estimated, nothing was timed)",
        "of the roofline: 42%",
        "k on T64, sm_90: 40 registers, 0 B shared memory, 8 B spilled, loads of 32 bits, stores of 16 bits, "
        "120 instructions, 4 warps, 3 stages",
        "in general: time it",
    ]


def test_of_a_trap_the_code_is_told_and_no_case() -> None:
    trap = Lesson(
        outcome="trap",
        operation="state merge",
        arch="sm_90",
        bottleneck="latency",
        edit="exp2_for_exp",
        why="",
        kernel="a",
        slow="",
        fast="",
        codes=("mismatch",),
        reason=REASON,
    )
    line = lesson_line(trap)
    assert line.startswith("trap on state merge, latency-bound, sm_90: exp2_for_exp, mismatch: a case of bfloat16: ")
    assert "seed" not in line
    assert "17" not in line
    win = replace(trap, outcome="win", codes=(), gain=1.25, estimated=True, why="fewer steps", agreeing=3)
    assert lesson_line(win) == (
        "win on state merge, latency-bound, sm_90: exp2_for_exp, 1.25x estimated (3 kernels agree): fewer steps"
    )


WIN = Lesson(
    outcome="win",
    operation="norm",
    arch="sm_90",
    bottleneck="memory",
    edit="reciprocal",
    why="a division less",
    kernel="a",
    slow="def f(a, b):\n    x = 1\n    y = a / b\n    return x * y\n",
    fast="def f(a, b):\n    x = 1\n    y = a * (1 / b)\n    return x * y\n",
    gain=1.25,
)
DIFF = ["@@ -2,3 +2,3 @@", "     x = 1", "-    y = a / b", "+    y = a * (1 / b)", "     return x * y"]


def test_of_a_win_what_it_changed_is_shown_and_of_a_trap_it_is_not() -> None:
    assert lesson_text(WIN).splitlines() == [lesson_line(WIN), *(f"    {line}" for line in DIFF)]
    trap = replace(WIN, outcome="trap", codes=("mismatch",), reason=REASON)
    gone = replace(WIN, slow="")
    for one in (trap, gone):
        assert lesson_text(one) == lesson_line(one)


def test_what_a_win_changed_is_shown_up_to_a_length() -> None:
    long = replace(WIN, slow="a\n" * 40, fast="b\n" * 40)
    lines = lesson_text(long).splitlines()
    assert len(lines) == 1 + DIFF_LINES + 1
    assert lines[-1] == f"    ... and {81 - DIFF_LINES} lines more"


def test_for_programs_a_lesson_has_its_diff_in_place_of_its_sources() -> None:
    said = taught(WIN)
    assert (said["edit"], said["gain"], said["diff"]) == ("reciprocal", 1.25, DIFF)
    assert not {"slow", "fast"} & said.keys()
    assert taught(replace(WIN, outcome="trap", reason=REASON))["reason"] == scrubbed(REASON)


def test_a_crossing_names_what_the_partner_has_and_a_beam_what_is_there_already(request_: Request) -> None:
    partner = judged.passed("faster", edit="one pass", expected=1.2)
    plan = partner.candidate.plan
    parent = Parent(id=partner.candidate.id, source="faster", profile=PROFILE, ratio=1.2)
    crossed = replace(request_, partner=parent, history=(partner,))
    assert wishes(crossed) == [f"what {parent.id} has and this one lacks, put onto this one: one pass ({plan.why})"]
    beam = replace(request_, besides=(Proposal(plan=plan, source="faster"),))
    assert wishes(beam) == ["something else than one pass, proposed already"]
    assert wishes(request_) == []


def test_counters_are_told_in_words_after_the_evidence_that_the_class_rests_on() -> None:
    counters = Counters(
        workload="T4096", kernels=(KernelCounters(kernel="k", launches=1, time_us=13.2, dram_percent=81.0),)
    )
    counted = replace(PROFILE, bottleneck="memory", evidence="DRAM at 81 % of its peak", counters=counters)
    assert profile_lines(replace(counted, estimated=False)) == [
        "bottleneck: memory (measured)",
        "evidence: DRAM at 81 % of its peak",
        "counted by hardware in one call on T4096, caches cold",
        "k, 13.2 us: DRAM 81 %",
        "in general: time it",
    ]
