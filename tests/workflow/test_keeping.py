"""What the ledger takes: measured wins, each under one name, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import reintegrate
from kmaint import folder, workflow
from kmaint.ledger import Ledger
from kmaint.records.change import Check, Edit, Patch
from kmaint.records.evaluation import Passed
from kmaint.workflow.keeping import accept, note, published, win_id
from tests.landed import Landed
from tests.reintegrate.kinds.cuda.conftest import Landable

EDIT = Edit(path="a.py", symbol="f", line=1, end_line=2, before_sha256="0" * 64, after="x\n")


def test_the_same_edits_are_the_same_win_whatever_is_shown_of_them(landed: Landed) -> None:
    harness = folder.read_harness(Path(landed.run.harness))
    patch = Patch(edits=(EDIT,), files={"a.py": "1" * 64}, kind="guarded", reason="loses on one of three")
    shown = Check(name="guard", state="passed", detail="18 cases outside of it")
    named = win_id(harness, patch)
    assert named.startswith(f"{harness.kernel.strip('_')}-")
    assert win_id(harness, replace(patch, reason="loses on two of three", shown=(shown,))) == named
    assert win_id(harness, replace(patch, edits=(replace(EDIT, after="y\n"),))) != named
    assert win_id(harness, replace(patch, files={"a.py": "2" * 64})) != named


def test_a_guard_that_is_shown_on_a_gpu_later_is_no_second_win(
    landed: Landed, landable: Callable[[str], Landable]
) -> None:
    one = landable("silu_and_mul")
    patch = reintegrate.choose(one.win, one.tree)
    (unshown,) = patch.shown
    assert unshown.state == "not_run"
    shown = replace(patch, shown=(replace(unshown, state="passed", detail="on an H200"),))
    taken = [accept(landed.run, each, landed.landing, landed.config, namesakes=()) for each in (patch, shown)]
    first, second = (win.id for win in taken if win)
    assert first == second
    assert [win.id for win in workflow.all_wins(landed.config)].count(first) == 1


def test_what_was_not_measured_is_not_taken(landed: Landed) -> None:
    (win,) = workflow.all_wins(landed.config)
    winner = landed.run.winner
    assert winner is not None
    assert isinstance(winner.verdict, Passed)
    untimed = replace(winner, verdict=replace(winner.verdict, timing=None, win=False))
    run = replace(landed.run, evaluations=(untimed,), best=untimed.candidate.id)
    assert accept(run, win.patch, landed.landing, landed.config, namesakes=()) is None


def test_what_became_of_a_win_is_noted_once(landed: Landed) -> None:
    for said in ("hunk 1 of 1", "hunk 1 of 1", "both hunks"):
        note(landed.run, landed.config, "attested", said)
    with Ledger(landed.state) as ledger:
        (win,) = ledger.wins()
    assert [(step.state, step.said) for step in win.history[1:]] == [
        ("attested", "hunk 1 of 1"),
        ("attested", "both hunks"),
    ]


def test_what_is_published_of_a_run_says_nothing_of_where_it_ran(landed: Landed, tmp_path: Path) -> None:
    harness = folder.read_harness(Path(landed.run.harness))
    text = published(landed.run, harness)
    assert landed.run.id in text
    assert str(tmp_path) not in text
