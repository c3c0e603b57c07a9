"""A request as files: the same request gives the same bytes, and what comes back is a candidate or it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.agent.models import InvalidAnswer
from kmaint.agent.proposal import Parent, Proposal, Request
from kmaint.agent.roles import planner
from kmaint.agent.roles.shown import asking
from kmaint.agent.task import accepted, as_prompt, base_of, files_of, plan_of_edit, role_of
from kmaint.records.evaluation import Plan
from kmaint.records.lesson import Lesson
from tests.agent.conftest import PROFILE, SECRETS, Judged
from tests.agent.test_kinds import RESOURCES

OLD, NEW = "tl.exp(p_lse) / out_se", "tl.exp(p_lse) * (1.0 / out_se)"


def test_the_files_say_what_to_do_and_give_nothing_away(request_: Request) -> None:
    files = files_of(request_)
    assert list(files) == ["kernel.py", "TASK.md", "profile.json", "history.json", "asked.json"]
    assert files["kernel.py"] == request_.parent.source
    assert json.loads(files["profile.json"])["bottleneck"] == "latency"
    assert [one["edit"] for one in json.loads(files["history.json"])] == ["sixteen warps", "hoist the division"]
    assert [secret for secret in SECRETS if secret in as_prompt(files)] == []
    assert files_of(request_) == files
    assert role_of(request_) == "coder"


def test_a_task_reads_as_recorded(request_: Request, repair_request: Request, hold: Callable[[str, str], None]) -> None:
    hold("task", files_of(request_)["TASK.md"])
    hold("task_repair", files_of(repair_request)["TASK.md"])


TRAP = Lesson(
    outcome="trap",
    operation="norm",
    arch="sm_90",
    bottleneck="latency",
    edit="one_pass",
    why="",
    kernel="a",
    slow="x = 1",
    fast="x = 2",
    codes=("mismatch",),
    reason="Case(T=17, DT='float16', seed=432758847): return[0] is 0.484375, not -1.09375 exactly",
)
WIN = replace(TRAP, outcome="win", edit="tile_programs", why="more in one program", codes=(), reason="", gain=1.4)
SPILLS = replace(PROFILE, bottleneck="memory", roofline_fraction=0.42, resources=(replace(RESOURCES, spill_bytes=8),))


@pytest.fixture
def full(request_: Request) -> Request:
    """A turn of which all is asked that can be."""
    other = Judged().passed("faster", edit="one pass", expected=1.2)
    partner = Parent(id=other.candidate.id, source="faster", profile=PROFILE, ratio=1.2)
    return replace(
        request_,
        parent=replace(request_.parent, profile=SPILLS),
        history=(*request_.history, other),
        kinds=frozenset({"access", "launch"}),
        partner=partner,
        besides=(Proposal(plan=Plan(bottleneck="memory", edit="wider loads", why="w"), source="wider"),),
        lessons=(WIN, TRAP),
    )


def test_all_that_is_asked_of_a_turn_is_in_its_plan(full: Request, hold: Callable[[str, str], None]) -> None:
    """As a planner is told it, in its order; the partner's source lies beside it."""
    files = files_of(full)
    hold("task_full", files["TASK.md"])
    for line in [line for lines in asking(full).values() for line in lines]:
        assert f"\n- {line}\n" in files["TASK.md"]
        assert f"\n- {line}\n" in planner(full).prompt
    assert files["TASK.md"].index("win on norm") < files["TASK.md"].index("trap on norm")
    assert files["partner.py"] == "faster"
    assert [secret for secret in SECRETS if secret in as_prompt(files)] == []


def test_what_is_asked_is_there_for_programs_too(request_: Request, full: Request) -> None:
    nothing: dict[str, object] = {"kinds": None, "ruled_out": {}, "partner": None, "besides": [], "lessons": []}
    assert json.loads(files_of(request_)["asked.json"]) == nothing
    asked = json.loads(files_of(full)["asked.json"])
    assert (asked["kinds"], asked["partner"]) == (["access", "launch"], full.partner and full.partner.id)
    assert list(asked["ruled_out"]) == ["tiling"]
    assert asked["besides"] == [{"edit": "wider loads", "why": "w"}]
    assert asked["lessons"][0]["diff"] == ["@@ -1 +1 @@", "-x = 1", "+x = 2"]
    assert [(one["outcome"], one["edit"], one["gain"]) for one in asked["lessons"]] == [
        ("win", "tile_programs", 1.4),
        ("trap", "one_pass", None),
    ]


def test_whatever_is_asked_of_a_turn_makes_it_another(request_: Request, full: Request) -> None:
    """An answer to the one is none to the other."""
    texts = {
        as_prompt(files_of(replace(request_, **{name: getattr(full, name)})))
        for name in ("parent", "kinds", "besides", "lessons")
    }
    assert len({*texts, as_prompt(files_of(full)), as_prompt(files_of(request_))}) == 6


def test_a_repair_is_asked_for_nothing_but_the_repair(repair_request: Request) -> None:
    files = files_of(replace(repair_request, lessons=(WIN,)))
    assert list(files) == ["kernel.py", "TASK.md", "profile.json", "history.json"]
    assert "## Plan" not in files["TASK.md"]


def test_a_repair_begins_with_the_failed_source_and_its_reason(repair_request: Request) -> None:
    assert repair_request.failed is not None
    assert base_of(repair_request) == repair_request.failed.candidate.source
    assert role_of(repair_request) == "repair"
    plan = plan_of_edit(repair_request, base_of(repair_request).replace("p_scale = out_se", "p_scale = s_lse"), "why")
    assert plan.edit == "hoist the division"


def test_a_plan_is_read_off_the_edit(request_: Request) -> None:
    plan = plan_of_edit(request_, request_.parent.source.replace(OLD, NEW), "as the agent left it")
    assert (plan.bottleneck, plan.edit, plan.why) == ("latency", "edit of merge_state_kernel", "as the agent left it")
    assert plan.anchor == (59, 59)
    added = request_.parent.source.replace("    max_lse = tl", "    pass\n    max_lse = tl")
    assert plan_of_edit(request_, added, "").anchor == (32, 32)


def test_lines_below_the_marker_of_a_region_are_an_edit_of_it(request_: Request) -> None:
    first = request_.parent.source.replace("@triton.jit\n", "# one row a program\n@triton.jit\n")
    assert plan_of_edit(request_, first, "").edit == "edit of merge_state_kernel"


def test_what_is_no_candidate_is_said_so(request_: Request) -> None:
    source, failed = request_.parent.source, request_.history[1].candidate
    assert accepted(request_, source.replace(OLD, NEW)) == source.replace(OLD, NEW)
    mine = source.replace(OLD, NEW)
    plan = plan_of_edit(request_, mine, "")
    beside = replace(request_, besides=(Proposal(plan=plan, source=f"# in other words\n{mine}"),))
    from_another = replace(request_, parent=replace(request_.parent, id="0a1b", source=source.replace(OLD, NEW)))
    for request, text, reason in (
        (request_, source, "kernel.py is as it was: nothing changed"),
        (from_another, source, "kernel.py is the original in other words: nothing new"),
        (beside, mine, "kernel.py was proposed for this turn already"),
        (request_, f"import os\n{source}", "only what lies between region markers may differ"),
        (request_, failed.source, f"kernel.py is {failed.id} in other words: nothing new"),
        (request_, failed.source.replace("p_scale", "scale"), f"kernel.py is {failed.id} in other words: nothing new"),
    ):
        with pytest.raises(InvalidAnswer) as error:
            accepted(request, text)
        assert reason in str(error.value)


CUDA = """\
__global__ void twice(float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= 2.0f;
}
"""


def test_of_cuda_the_whole_file_is_asked_for_and_any_line_may_differ(request_: Request, tmp_path: Path) -> None:
    (tmp_path / "kernel.cu").write_text(CUDA)
    region = replace(request_.harness.regions[0], path="csrc/twice.cu")
    harness = replace(request_.harness, folder=tmp_path, language="cuda", regions=(region,))
    request = replace(request_, harness=harness, parent=replace(request_.parent, source=CUDA))
    files = files_of(request)
    assert files["kernel.cu"] == CUDA
    assert "kernel.py" not in files
    assert "Edit `kernel.cu`: choose one thing" in files["TASK.md"]
    assert "# region" not in files["TASK.md"]
    changed = f"#include <cstdint>\n{CUDA.replace('2.0f', '2.f')}"
    assert accepted(request, changed) == changed
    assert plan_of_edit(request, changed, "").edit == "edit of kernel.cu"
    with pytest.raises(InvalidAnswer, match=r"kernel\.cu is as it was: nothing changed"):
        accepted(request, CUDA)
