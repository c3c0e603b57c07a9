"""The scripted provider: each file once, in name order, and its repairs only when asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmaint.agent.proposal import Failure, Parent, Proposal, Request
from kmaint.agent.scripted import read_folder
from kmaint.errors import UsageError
from kmaint.records.evaluation import Evaluation
from kmaint.records.harness import Harness
from tests.agent.conftest import PROFILE, Judged

judged = Judged()


def request(harness: Harness, *history: Evaluation, failed: Failure | None = None) -> Request:
    parent = Parent(id=None, source="", profile=PROFILE, ratio=1.0)
    return Request(harness=harness, parent=parent, history=history, screen=lambda _sources: [], failed=failed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("10-last", "2-first", "2-first.1", "2-first.2"):
        (tmp_path / f"{name}.py").write_text(f"# {name}\n")
    (tmp_path / "2-first.md").write_text("Wider\nloads.\n")
    return tmp_path


def said(proposal: Proposal | None) -> str | None:
    return proposal.source.strip("# \n") if proposal else None


def test_files_come_in_name_order_each_once(harness: Harness, folder: Path) -> None:
    scripted = read_folder(folder)
    first, second = judged.wrong("# 10-last\n"), judged.passed("# 2-first\n")
    assert said(scripted.propose(request(harness))) == "10-last"
    assert said(scripted.propose(request(harness, first))) == "2-first"
    assert scripted.propose(request(harness, first, second)) is None


def test_a_repair_turn_gets_the_next_file_of_the_group(harness: Harness, folder: Path) -> None:
    scripted = read_folder(folder)
    answers = [
        said(scripted.propose(request(harness, failed=Failure(candidate=judged.wrong(source).candidate, reason="no"))))
        for source in ("# 2-first\n", "# 2-first.1\n", "# 2-first.2\n", "# 10-last\n")
    ]
    assert answers == ["2-first.1", "2-first.2", None, None]


def test_a_text_beside_a_file_is_its_plan(folder: Path) -> None:
    by_edit = {script.first.plan.edit: script.first.plan.why for script in read_folder(folder).scripts}
    assert by_edit == {"10-last": "as written in 10-last.py", "2-first": "Wider loads."}


def test_a_folder_without_candidates_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        read_folder(tmp_path / "nowhere")
    assert str(error.value) == (
        f"{tmp_path / 'nowhere'}: no candidate files (*.py) in it; name a folder that holds whole kernel.py files"
    )


def test_files_of_cuda_are_candidates_too(harness: Harness, folder: Path) -> None:
    (folder / "1-wide.cu").write_text("# 1-wide\n")
    (folder / "1-wide.1.cuh").write_text("# 1-wide.1\n")
    (folder / "notes.txt").write_text("")
    scripted = read_folder(folder)
    assert said(scripted.propose(request(harness, judged.wrong("# 10-last\n")))) == "1-wide"
    assert len(scripted.scripts) == 3
