"""The provider that replays: whole kernel files of a folder, in name order, as if a model had written them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kmaint import wire
from kmaint.agent.proposal import Proposal, Request
from kmaint.errors import UsageError
from kmaint.records.evaluation import Plan

SUFFIXES = (".py", ".cu", ".cuh")


@dataclass(frozen=True, kw_only=True)
class Script:
    """One proposal and what to answer, in order, where it is to be repaired."""

    first: Proposal
    repairs: tuple[Proposal, ...]


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """Proposes each file once, whatever the parent."""

    name: ClassVar[str] = "scripted"
    repairs: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    scripts: tuple[Script, ...]

    def propose(self, request: Request) -> Proposal | None:
        """The first file not judged yet; on a repair turn, the file that follows the failed one in its group."""
        if request.failed is not None:
            return self._repair(request.failed.candidate.id)
        known = {evaluation.candidate.id for evaluation in request.history}
        known |= {wire.digest(proposal.source) for proposal in request.besides}
        return next((one.first for one in self.scripts if wire.digest(one.first.source) not in known), None)

    def _repair(self, failed: str) -> Proposal | None:
        for script in self.scripts:
            for before, after in itertools.pairwise((script.first, *script.repairs)):
                if wire.digest(before.source) == failed:
                    return after
        return None


def read_folder(folder: Path) -> Scripted:
    """`NAME.py` is a proposal, `NAME.md` beside it its plan in words, and `NAME.1.py`, `NAME.2.py` its repairs.

    So are files of CUDA C++, by their own suffixes.
    """
    files = candidate_files(folder)
    if not files:
        raise UsageError(f"{folder}: no candidate files (*.py) in it", "name a folder that holds whole kernel.py files")
    groups = itertools.groupby(sorted(files, key=lambda file: (_group(file), file.name)), key=_group)
    proposals = [[_proposal(file) for file in sorted(group, key=lambda file: file.stem)] for _, group in groups]
    scripts = tuple(Script(first=first, repairs=tuple(rest)) for first, *rest in proposals)
    return Scripted(scripts=scripts)


def candidate_files(folder: Path) -> list[Path]:
    """Those of a folder, in name order; none where there is no such folder."""
    return sorted(file for file in folder.glob("*") if file.suffix in SUFFIXES)


def _group(file: Path) -> str:
    return file.name.split(".")[0]


def _proposal(file: Path) -> Proposal:
    words = file.with_suffix(".md")
    why = " ".join(words.read_text().split()) if words.is_file() else f"as written in {file.name}"
    return Proposal(plan=Plan(bottleneck="unknown", edit=file.stem, why=why), source=file.read_text())
