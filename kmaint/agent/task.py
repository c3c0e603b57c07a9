"""A request as files: what a coding agent or a person finds in a folder, and the source that comes back from it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kmaint import wire
from kmaint.agent.kinds import ruled_out
from kmaint.agent.models import InvalidAnswer
from kmaint.agent.novelty import normal, says_again
from kmaint.agent.proposal import Request
from kmaint.agent.roles.applying import region_lines
from kmaint.agent.roles.prompting import regions, render
from kmaint.agent.roles.repair import verdict_on
from kmaint.agent.roles.shown import asking, attempts, log_tail, reason_of, taught
from kmaint.evaluate.rungs.lint import frame_changed
from kmaint.records.evaluation import Plan
from kmaint.records.exchange import Role
from kmaint.records.workload import Json
from kmaint.spans import changed_lines

TASK, PROFILE, HISTORY, ASKED = "TASK.md", "profile.json", "history.json", "asked.json"


def base_of(request: Request) -> str:
    """The source to begin with: the failed one on a repair turn."""
    return request.failed.candidate.source if request.failed else request.parent.source


def role_of(request: Request) -> Role:
    """A turn's plan and code come in one answer, which is the coder's."""
    return "repair" if request.failed else "coder"


def files_of(request: Request) -> Mapping[str, str]:
    """The files of a turn by name: the same request gives the same bytes. A repair's plan is that of what failed."""
    files = {
        request.harness.replaced.name: base_of(request),
        TASK: task_text(request),
        PROFILE: wire.text(request.parent.profile, indent=1) + "\n",
        HISTORY: json.dumps([wire.dump(one) for one in attempts(request.history)], indent=1) + "\n",
    }
    if request.failed is None:
        files[ASKED] = json.dumps(_asked(request), indent=1) + "\n"
    if request.partner is not None:
        files[partner_file(request)] = request.partner.source
    return files


def partner_file(request: Request) -> str:
    """Where the source of a crossing's partner stands: `partner.py`, or with the suffix of the edited file."""
    return f"partner{request.harness.replaced.suffix}"


def _asked(request: Request) -> dict[str, Json]:
    """What the plan in TASK.md says, for programs: kinds are None where any will do."""
    return {
        "kinds": None if request.kinds is None else sorted(request.kinds),
        "ruled_out": dict(ruled_out(request.parent.profile)),
        "partner": request.partner.id if request.partner else None,
        "besides": [{"edit": one.plan.edit, "why": one.plan.why} for one in request.besides],
        "lessons": [taught(lesson) for lesson in request.lessons],
    }


def task_text(request: Request) -> str:
    """What is to be done, in words."""
    failed, base = request.failed, base_of(request)
    verdict = verdict_on(request, failed) if failed else None
    state = f"as candidate {request.parent.id} has it" if request.parent.id else "as it ships"
    return render(
        "task",
        request.harness,
        file=request.harness.replaced.name,
        state=f"in a variant, {failed.candidate.id}, that was turned down" if failed else state,
        plan=failed.candidate.plan if failed else None,
        reason=reason_of(verdict) if verdict else "",
        log=log_tail(verdict) if verdict else "",
        workloads=request.harness.contract.timed,
        regions=regions(base),
        partner=request.partner.id if request.partner else None,
        partner_file=partner_file(request),
        **asking(request),
    )


def as_prompt(files: Mapping[str, str]) -> str:
    """All the files in one text, as an exchange keeps them."""
    return "".join(f"--- {name}\n{text}" for name, text in files.items())


def accepted(request: Request, source: str) -> str:
    """The source that came back. InvalidAnswer where it is no candidate: nothing changed, or what must not."""
    base, file, triton = base_of(request), request.harness.replaced, request.harness.language == "triton"
    if source == base:
        raise InvalidAnswer(f"{file.name} is as it was: nothing changed")
    if triton and (changed := frame_changed(base, source)):
        raise InvalidAnswer(f"{changed}; only what lies between region markers may differ")
    if said := says_again(source, file.read_text(), request.history):
        raise InvalidAnswer(f"{file.name} is {said}: nothing new")
    if normal(source) in {normal(one.source) for one in request.besides}:
        raise InvalidAnswer(f"{file.name} was proposed for this turn already")
    return source


def plan_of_edit(request: Request, source: str, why: str) -> Plan:
    """The plan of an edit that came without one: which lines of the source it began with it is about."""
    base = base_of(request)
    anchor = changed_lines(base, source)
    touched = _touched(base, *anchor) if anchor else []
    what = ", ".join(touched) or request.harness.replaced.name
    edit = request.failed.candidate.plan.edit if request.failed else f"edit of {what}"
    return Plan(bottleneck=request.parent.profile.bottleneck, edit=edit, why=why, anchor=anchor)


def _touched(source: str, first: int, last: int) -> list[str]:
    """The regions that those lines reach into; what follows a region's marker is in the region."""
    return [name for name, (start, end) in region_lines(source).items() if first <= end and last >= start - 1]
