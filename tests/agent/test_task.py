"""A request as files: the same request gives the same bytes, and what comes back is a candidate or it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.agent.models import InvalidAnswer
from kmaint.agent.proposal import Request
from kmaint.agent.task import accepted, as_prompt, base_of, files_of, plan_of_edit, role_of
from tests.agent.conftest import SECRETS

OLD, NEW = "tl.exp(p_lse) / out_se", "tl.exp(p_lse) * (1.0 / out_se)"


def test_the_files_say_what_to_do_and_give_nothing_away(request_: Request) -> None:
    files = files_of(request_)
    assert list(files) == ["kernel.py", "TASK.md", "profile.json", "history.json"]
    assert files["kernel.py"] == request_.parent.source
    assert json.loads(files["profile.json"])["bottleneck"] == "latency"
    assert [one["edit"] for one in json.loads(files["history.json"])] == ["sixteen warps", "hoist the division"]
    assert [secret for secret in SECRETS if secret in as_prompt(files)] == []
    assert files_of(request_) == files
    assert role_of(request_) == "coder"


def test_a_task_reads_as_recorded(request_: Request, repair_request: Request, hold: Callable[[str, str], None]) -> None:
    hold("task", files_of(request_)["TASK.md"])
    hold("task_repair", files_of(repair_request)["TASK.md"])


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
    from_another = replace(request_, parent=replace(request_.parent, id="0a1b", source=source.replace(OLD, NEW)))
    for request, text, reason in (
        (request_, source, "kernel.py is as it was: nothing changed"),
        (from_another, source, "kernel.py is the original in other words: nothing new"),
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
