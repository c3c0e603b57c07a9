"""The provider that hands each turn to whoever is outside, a person or any agent, and ends until an answer is there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from kmaint import wire
from kmaint.agent.dialogue import Dialogue
from kmaint.agent.models import InvalidAnswer
from kmaint.agent.proposal import Awaited, Proposal, Request
from kmaint.agent.task import accepted, as_prompt, files_of, plan_of_edit, role_of
from kmaint.errors import UsageError
from kmaint.folder import write_text
from kmaint.records.evaluation import Plan
from kmaint.records.exchange import Exchange, Usage

REQUEST, REQUESTS = "request.json", "requests"

OUTSIDE = "handoff"
"""Whom exchanges name: who answered is not known."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A file that was handed in, with the plan where one came along: where the edit is, is read off the file."""

    file: Path
    plan: Plan | None = None


@dataclass(frozen=True, kw_only=True)
class Handoff:
    """Writes the request's folder once and leaves it alone, so that it may be edited in place."""

    name: ClassVar[str] = "handoff"
    repairs: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    dialogue: Dialogue
    submissions: list[Submission] = field(default_factory=list)
    """Handed in, and not looked at yet: at most one."""

    def propose(self, request: Request) -> Proposal | None:
        """What was handed in for this request. Awaited where nothing was: the folder then holds the request.

        None where nothing was, and the budget is spent.
        """
        files = files_of(request)
        prompt = as_prompt(files)
        kept = self.dialogue.answered(role_of(request), OUTSIDE, prompt)
        # The newest word on the request that waits, whatever a killed run took for it and left unjudged.
        if self.submissions and (kept is None or self._waits(request, files)):
            kept = self._take(request, prompt, self.submissions.pop(), kept)
        if kept is not None:
            return wire.load(Proposal, json.loads(kept))
        if self.dialogue.overspent:
            return None
        self._write(request, files)
        raise Awaited

    def _take(self, request: Request, prompt: str, handed: Submission, kept: str | None) -> str:
        """What was handed in, written down unless it is what was kept. UsageError where it is no answer."""
        try:
            source = accepted(request, handed.file.read_text())
        except (InvalidAnswer, UnicodeDecodeError) as error:
            raise UsageError(f"{handed.file}: {error}", "nothing was recorded") from error
        except OSError as error:
            raise UsageError(f"{handed.file}: {error.strerror}", "name the edited kernel.py") from error
        read_off = plan_of_edit(request, source, f"as handed in with {handed.file.name}")
        plan = replace(handed.plan, anchor=read_off.anchor) if handed.plan else read_off
        answer = wire.text(Proposal(plan=plan, source=source))
        if answer == kept:
            return answer
        exchange = Exchange(
            role=role_of(request),
            model=OUTSIDE,
            prompt=prompt,
            answer=answer,
            usage=Usage(cost_usd=None),
            seconds=0.0,
            candidate=wire.digest(source),
        )
        self.dialogue.record(exchange)
        return answer

    def _waits(self, request: Request, files: Mapping[str, str]) -> bool:
        """Whether this very request lies in its folder."""
        file = request_folder(self.dialogue.folder, len(request.history)) / REQUEST
        return file.is_file() and file.read_text() == self._text(request, files)

    def _write(self, request: Request, files: Mapping[str, str]) -> None:
        if self._waits(request, files):
            return
        folder = request_folder(self.dialogue.folder, len(request.history))
        for name, content in files.items():
            write_text(folder / name, content)
        write_text(folder / REQUEST, self._text(request, files))  # the last: where it stands, the others do

    def _text(self, request: Request, files: Mapping[str, str]) -> str:
        """The request.json of a request with those files."""
        failed = request.failed
        asked = {
            "schema": "kmaint.request/1",
            "run": self.dialogue.folder.name,
            "number": len(request.history) + 1,
            "role": role_of(request),
            "kernel": request.harness.id,
            "parent": request.parent.id,
            "failed": failed.candidate.id if failed else None,
            "files": sorted(files),
            "content": wire.digest(as_prompt(files)),
        }
        return json.dumps(asked, indent=1) + "\n"


def request_folder(run: Path, judged: int) -> Path:
    """Where the request lies that a run with so many verdicts makes next."""
    return run / REQUESTS / f"{judged + 1:03}"


def read_plan(file: Path) -> Plan:
    """A plan in JSON: bottleneck, edit and why. UsageError otherwise."""
    try:
        return wire.load(Plan, json.loads(file.read_text()))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", "name a file of JSON, or leave --plan out") from error
    except ValueError as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines()[1:3]) or str(error)
        raise UsageError(f"{file}: no plan: {reason}", 'write {"bottleneck": ..., "edit": ..., "why": ...}') from error
