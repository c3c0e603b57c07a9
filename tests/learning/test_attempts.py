from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kmaint.agent.chain import original
from kmaint.learning.attempts import Step, attempts
from kmaint.records.evaluation import Wrong
from kmaint.records.harness import Harness
from tests.learning.conftest import evaluation, failed, measured_run, timed


def test_each_attempt_follows_from_what_it_was_made_from(harness: Harness) -> None:
    run = measured_run()
    made = list(attempts(run, harness, frozenset()))
    assert [one.step for one in made] == [1, 2, 3]
    assert made[0].before == made[1].before == original(harness)
    assert [one.after for one in made] == [one.candidate.source for one in run.evaluations]
    assert made[0].profile_before == run.baseline
    assert (made[0].release, made[0].licence, made[0].device) == ("0.5.17", "Apache-2.0", "NVIDIA H200")
    assert made[0].speedup is not None
    assert made[0].reward_parts.speed > 1.0


def test_a_child_begins_where_its_parent_ended(harness: Harness) -> None:
    parent = timed(1.1, 1.2, 1.3, win=True, name="a", edit="one_pass")
    run = replace(measured_run(), evaluations=(parent, failed("wrong", name="b", parent="a", edit="num_warps=8")))
    _, child = attempts(run, harness, frozenset())
    assert (child.before, child.parent) == ("# a\n", "a")
    assert child.lineage == (Step(candidate="a", edit="one_pass"), Step(candidate="b", edit="num_warps=8"))
    assert child.profile_before is not None
    assert child.profile_before.bottleneck == "memory"
    assert (child.verdict.kind, child.verdict.win, child.verdict.codes) == ("wrong", False, ("mismatch",))


def test_the_file_is_named_as_the_harness_has_it(harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "kernel.cu").write_text("__global__ void f() {}")
    region = replace(harness.regions[0], path="csrc/f.cu")
    cuda = replace(harness, folder=tmp_path, language="cuda", regions=(region,))
    for one, file in ((harness, "kernel.py"), (cuda, "kernel.cu")):
        assert {found.file for found in attempts(measured_run(), one, frozenset())} == {file}


def test_prose_is_cleaned(harness: Harness) -> None:
    verdict = Wrong(reason="raised in /home/ann/state/kernel.py", codes=("exception",))
    one = evaluation(verdict, "interpreter", why="as ann@build wrote in /home/ann/notes/today.md", edit="see /root/x/y")
    (found,) = attempts(replace(measured_run(), evaluations=(one,)), harness, frozenset())
    assert found.verdict.reason == "raised in kernel.py"
    assert found.plan.why == "as ann@build wrote in today.md"
    assert (found.plan.edit, found.lineage[0].edit) == ("see y", "see y")
