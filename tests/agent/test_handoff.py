"""Requests that wait in a folder, and what is handed in for them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.agent.chain import improve, original
from kmaint.agent.dialogue import Dialogue
from kmaint.agent.handoff import Handoff, Submission, read_plan, request_folder
from kmaint.agent.proposal import Awaited, Proposal, Request
from kmaint.errors import UsageError
from kmaint.evaluate import Bench
from kmaint.records.evaluation import Evaluation, Plan
from kmaint.records.exchange import Usage
from kmaint.records.harness import Harness
from tests.agent.conftest import looked_up

OLD, NEW = "tl.exp(p_lse) / out_se", "tl.exp(p_lse) * (1.0 / out_se)"


def asked(request: Request, dialogue: Dialogue) -> Path:
    with pytest.raises(Awaited):
        Handoff(dialogue=dialogue).propose(request)
    return request_folder(dialogue.folder, len(request.history))


def hand_in(request: Request, dialogue: Dialogue, file: Path, plan: Plan | None = None) -> Proposal | None:
    handoff = Handoff(dialogue=dialogue)
    handoff.submissions.append(Submission(file=file, plan=plan))
    return handoff.propose(request)


def test_a_request_is_written_once_and_then_left_alone(request_: Request, tmp_path: Path) -> None:
    dialogue = Dialogue(folder=tmp_path / "merge-1a2b")
    folder = asked(request_, dialogue)
    assert folder == tmp_path / "merge-1a2b" / "requests" / "003"
    assert sorted(file.name for file in folder.iterdir()) == [
        "TASK.md",
        "asked.json",
        "history.json",
        "kernel.py",
        "profile.json",
        "request.json",
    ]
    said = json.loads((folder / "request.json").read_text())
    assert (said["schema"], said["run"], said["number"], said["role"]) == ("kmaint.request/1", "merge-1a2b", 3, "coder")
    (folder / "kernel.py").write_text("edited in place")
    assert asked(request_, dialogue) == folder
    assert (folder / "kernel.py").read_text() == "edited in place"


def test_a_request_that_a_kill_left_half_written_is_written_again(request_: Request, tmp_path: Path) -> None:
    dialogue = Dialogue(folder=tmp_path)
    folder = asked(request_, dialogue)
    (folder / "request.json").unlink()
    (folder / "TASK.md").unlink()
    asked(request_, dialogue)
    assert (folder / "TASK.md").is_file()


def test_a_repair_names_the_failed_candidate_and_why(repair_request: Request, tmp_path: Path) -> None:
    folder = asked(repair_request, Dialogue(folder=tmp_path))
    said = json.loads((folder / "request.json").read_text())
    assert repair_request.failed is not None
    assert (said["role"], said["failed"]) == ("repair", repair_request.failed.candidate.id)
    assert "It was turned down: a case of bfloat16" in (folder / "TASK.md").read_text()


def test_what_is_handed_in_is_recorded_and_never_asked_for_again(request_: Request, tmp_path: Path) -> None:
    dialogue = Dialogue(folder=tmp_path)
    file = asked(request_, dialogue) / "kernel.py"
    file.write_text(file.read_text().replace(OLD, NEW))
    proposal = hand_in(request_, dialogue, file)
    assert proposal is not None
    assert (proposal.plan.edit, proposal.plan.anchor) == ("edit of merge_state_kernel", (59, 59))
    (said,) = dialogue.exchanges
    assert (said.model, said.seconds, said.usage, said.candidate) == (
        "handoff",
        0.0,
        Usage(cost_usd=None),
        wire.digest(proposal.source),
    )
    again = Dialogue(folder=tmp_path, exchanges=dialogue.exchanges)
    assert Handoff(dialogue=again).propose(request_) == proposal
    assert hand_in(request_, again, file) == proposal
    assert len(again.exchanges) == 1


def test_a_plan_comes_along_where_there_is_one_but_where_the_edit_is_is_read_off_it(
    request_: Request, tmp_path: Path
) -> None:
    (tmp_path / "plan.json").write_text(
        '{"bottleneck": "memory", "edit": "one reciprocal", "why": "w", "anchor": [5, 6]}'
    )
    (tmp_path / "mine.py").write_text(request_.parent.source.replace(OLD, NEW))
    plan = read_plan(tmp_path / "plan.json")
    assert plan == Plan(bottleneck="memory", edit="one reciprocal", why="w", anchor=(5, 6))
    proposal = hand_in(request_, Dialogue(folder=tmp_path), tmp_path / "mine.py", plan)
    assert proposal is not None
    assert proposal.plan == replace(plan, anchor=(59, 59))


EDITS = {
    OLD: NEW,
    "tl.exp(s_lse) / out_se": "tl.exp(s_lse) * (1.0 / out_se)",
    "num_tokens = tl.num_programs(0)": "num_tokens = tl.num_programs(0) + 0",
}


@pytest.mark.parametrize("strategy", ["greedy", "lines"])
@pytest.mark.parametrize("words", [None, Plan(bottleneck="memory", edit="one division less", why="it waits for them")])
def test_different_files_from_one_parent_are_each_judged(
    harness: Harness, bench: Bench, tmp_path: Path, strategy: str, words: Plan | None
) -> None:
    """Under one name, and so with one plan read off them, or with one plan for all."""
    file, dialogue, history = tmp_path / "kernel.py", Dialogue(folder=tmp_path), list[Evaluation]()
    for old, new in EDITS.items():
        file.write_text(original(harness).replace(old, new))
        handoff = Handoff(dialogue=dialogue, submissions=[Submission(file=file, plan=words)])
        (judged,) = improve(looked_up(harness, bench, handoff, strategy, EDITS), history)
        assert (judged.candidate.source, judged.candidate.parent) == (file.read_text(), None)
        history.append(judged)


def test_what_is_handed_in_comes_before_what_a_kill_left_unjudged(request_: Request, tmp_path: Path) -> None:
    dialogue = Dialogue(folder=tmp_path)
    older, newer = tmp_path / "older.py", tmp_path / "newer.py"
    asked(request_, dialogue)
    older.write_text(request_.parent.source.replace(OLD, NEW))
    newer.write_text(request_.parent.source.replace("tl.exp(s_lse) / out_se", "tl.exp(s_lse) * (1.0 / out_se)"))
    left = hand_in(request_, dialogue, older)
    taken = hand_in(request_, dialogue, newer)
    assert left is not None
    assert taken is not None
    assert (left.source, taken.source) == (older.read_text(), newer.read_text())
    assert Handoff(dialogue=dialogue).propose(request_) == taken


def test_of_a_beam_each_idea_answers_the_request_that_waits(harness: Harness, bench: Bench, tmp_path: Path) -> None:
    """The first is not asked for again when the second comes, which is told of it; the last brings a verdict."""
    dialogue, judged = Dialogue(folder=tmp_path), list[Evaluation]()
    edits = {**EDITS, "num_heads = tl.num_programs(1)": "num_heads = tl.num_programs(1) + 0"}
    session = looked_up(harness, bench, Handoff(dialogue=dialogue), "beam", edits)
    assert list(improve(session, [])) == []
    for number, (old, new) in enumerate(edits.items(), start=1):
        assert judged == []
        task = (request_folder(tmp_path, 0) / "TASK.md").read_text()
        assert ("proposed already" in task) == (number > 1)
        file = tmp_path / f"{number}.py"
        file.write_text(original(harness).replace(old, new))
        plan = Plan(bottleneck="latency", edit=f"idea {number}", why="w")
        handoff = Handoff(dialogue=dialogue, submissions=[Submission(file=file, plan=plan)])
        judged += improve(replace(session, provider=handoff), [])
    assert [one.candidate.plan.edit for one in judged[:1]] == ["idea 1"]
    assert len(dialogue.exchanges) == len(edits)


def test_what_is_no_candidate_is_refused_and_not_recorded(request_: Request, tmp_path: Path) -> None:
    dialogue = Dialogue(folder=tmp_path)
    unchanged, absent, binary = (tmp_path / name for name in ("same.py", "absent.py", "binary.py"))
    unchanged.write_text(request_.parent.source)
    binary.write_bytes(b"\xff\xfe")
    for file, reason in (
        (unchanged, "kernel.py is as it was: nothing changed; nothing was recorded"),
        (absent, "No such file or directory; name the edited kernel.py"),
        (binary, "invalid start byte; nothing was recorded"),
    ):
        with pytest.raises(UsageError) as error:
            hand_in(request_, dialogue, file)
        assert str(error.value).startswith(f"{file}: ")
        assert str(error.value).endswith(reason)
    assert dialogue.exchanges == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ('{"edit": "x"}', "bottleneck"),
        ('{"bottleneck": "gpu", "edit": "", "why": ""}', "bottleneck"),
    ],
)
def test_a_plan_that_is_none_is_said_so(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        read_plan(file)
    assert str(error.value).startswith(f"{file}: no plan: ")
    assert reason in str(error.value)


def test_another_request_of_the_same_number_takes_the_place_of_the_first(request_: Request, tmp_path: Path) -> None:
    """After other budgets or strategies, say: what waits is what is asked now."""
    dialogue = Dialogue(folder=tmp_path)
    folder = asked(request_, dialogue)
    other = replace(request_, parent=replace(request_.parent, id="0a1b2c3d4e5f", ratio=1.2))
    assert asked(other, dialogue) == folder
    assert json.loads((folder / "request.json").read_text())["parent"] == "0a1b2c3d4e5f"
