from __future__ import annotations

from dataclasses import replace

from kmaint.learning.attempts import Attempt, attempts
from kmaint.learning.conversation import answer, question
from kmaint.records.harness import Harness
from tests.learning.conftest import failed, measured_run


def first(harness: Harness) -> Attempt:
    return next(attempts(measured_run(), harness, frozenset()))


def test_the_question_holds_what_could_be_known(harness: Harness) -> None:
    (asked,) = question(first(harness))
    assert asked["role"] == "user"
    assert asked["content"].startswith(
        "Make this Triton kernel of sglang 0.5.17 faster on NVIDIA H200 (sm_90). It is a whole kernel.py, cut out of "
        "sglang/kernels/ops/attention/merge_state.py so that it stands alone."
    )
    assert "keep the signature of `merge_state_triton`" in asked["content"]
    assert "\nIts profile: compute, 21% of the roofline.\n\n```python\n" in asked["content"]
    assert first(harness).before.rstrip() in asked["content"]
    assert first(harness).after not in asked["content"]


def test_the_answer_is_a_plan_and_a_source(harness: Harness) -> None:
    found = first(harness)
    (said,) = answer(found)
    assert said["role"] == "assistant"
    assert said["content"].startswith("Bottleneck: latency. Edit: tile_programs. 8 rows of program axis 1 per program")
    assert said["content"].endswith(f"```python\n{found.after.rstrip()}\n```")


def test_a_repair_is_told_why(harness: Harness) -> None:
    run = replace(measured_run(), evaluations=(failed("wrong", name="a"), failed("wrong", name="b", parent="a")))
    _, repair = attempts(run, harness, frozenset())
    (asked,) = question(repair)
    assert "\nThe gate turned it down: wrong: 0.5, not 0.25\n" in asked["content"]
    assert "# a\n" in asked["content"]


def test_backticks_in_a_source_do_not_end_its_fence(harness: Harness) -> None:
    (said,) = answer(replace(first(harness), after='x = """\n```\n"""\n'))
    assert said["content"].endswith('````python\nx = """\n```\n"""\n````')
