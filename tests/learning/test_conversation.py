from __future__ import annotations

from dataclasses import replace

import pytest

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


@pytest.mark.parametrize(("file", "fence"), [("kernel.cu", "cuda"), ("kernel.cuh", "cuda"), ("kernel.cpp", "cpp")])
def test_of_cuda_the_file_is_named_and_fenced_as_what_it_is(harness: Harness, file: str, fence: str) -> None:
    path = f"csrc/twice{file.removeprefix('kernel')}"
    found = replace(first(harness), language="cuda", kernel=f"{path}::twice", entry="twice", file=file)
    (asked,), (said,) = question(found), answer(found)
    assert (
        f"Make this CUDA kernel of sglang 0.5.17 faster on NVIDIA H200 (sm_90). It is a whole {file}, which"
        in (asked["content"])
    )
    assert (
        f"takes the place of {path}. Keep the name and parameters of what it defines for others, `twice` above all"
        in (asked["content"])
    )
    for unfit in ("kernel.py", "`# region`", "```python"):
        assert unfit not in asked["content"] + said["content"]
    assert f"\n```{fence}\n" in asked["content"]
    assert f"\n\n```{fence}\n" in said["content"]


def test_backticks_in_a_source_do_not_end_its_fence(harness: Harness) -> None:
    (said,) = answer(replace(first(harness), after='x = """\n```\n"""\n'))
    assert said["content"].endswith('````python\nx = """\n```\n"""\n````')
