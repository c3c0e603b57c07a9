"""A run that is handed off, as its user meets it: through the command line, on a real harness, into a real store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kmaint import wire
from kmaint.config import load_config
from kmaint.errors import UsageError
from kmaint.folder import KERNEL, read_harness
from kmaint.store import Store
from kmaint.workflow import list_runs, optimize, submit
from tests.merged import harness_in

OLD, BROKEN, NEW = "tl.exp(p_lse) / out_se", "tl.exp(p_lse) * * out_se", "tl.exp(p_lse) * (1.0 / out_se)"


@dataclass(frozen=True)
class Desk:
    """A user with a harness and a folder of runs."""

    harness: Path
    state: Path

    def kmaint(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "kmaint", *map(str, words), "--state", str(self.state), "--format", "json"]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    def asked(self, *words: str | Path, code: int = 0) -> dict[str, Any]:
        ended = self.kmaint(*words, "--quiet")
        assert ended.returncode == code, ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def optimize(self, candidates: int, code: int = 0) -> dict[str, Any]:
        return self.asked("optimize", self.harness, "--provider", "handoff", "--candidates", str(candidates), code=code)


def quiet(_text: str) -> None:
    pass


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(harness_in(tmp_path / "harness").folder, tmp_path / "state")


def edit(folder: str, old: str, new: str) -> Path:
    file = Path(folder) / "kernel.py"
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    return file


@pytest.mark.parametrize("wrong", [("--provider", "hand"), ("--strategy", "linse"), ("--memory", "no.jsonl")])
def test_settings_by_which_nobody_can_propose_begin_no_run(desk: Desk, wrong: tuple[str, str]) -> None:
    ended = desk.kmaint("optimize", desk.harness, *wrong)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), "refused before anything slow was said"
    assert not desk.state.exists()


def test_an_answer_is_judged_and_what_is_asked_next_is_to_mend_it(desk: Desk) -> None:
    begun = desk.optimize(2)
    assert (begun["schema"], begun["state"], begun["candidates"]) == ("kmaint.optimize/1", "running", [])
    run = begun["run"]
    assert begun["request"] == str(desk.state / "runs" / run / "requests" / "001")
    said = desk.asked("submit", run, edit(begun["request"], OLD, BROKEN), code=1)
    assert (said["schema"], said["candidate"]["verdict"]) == ("kmaint.submit/1", "not_built")
    assert said["request"] == str(desk.state / "runs" / run / "requests" / "002")
    asked = json.loads((Path(said["request"]) / "request.json").read_text())
    assert (asked["role"], asked["failed"]) == ("repair", said["candidate"]["id"])
    assert BROKEN in (Path(said["request"]) / "kernel.py").read_text()
    assert [one.state for one in list_runs(load_config(state=desk.state))] == ["waits"]
    with Store(desk.state) as store:
        kinds = [event.kind for event in store.events(run)]
        assert (store.run(run).state, store.run(run).provider) == ("running", "handoff")
    assert [kind for kind in kinds if kind in ("exchange", "plan", "awaited")] == [
        "awaited",
        "exchange",
        "plan",
        "awaited",
    ]


@pytest.mark.slow
def test_the_last_answer_of_a_beam_brings_the_verdict_on_the_best_of_them(desk: Desk) -> None:
    """They screen alike, so the first is judged; it is the only one that the gate has to take."""
    harness, config = read_harness(desk.harness), load_config(state=desk.state, provider="handoff", device="none")
    config = config.model_copy(update={"strategy": "beam", "candidates": 1})
    begun, file = optimize(harness, config, quiet), desk.state / "kernel.py"
    brought = []
    for new in ("tl.exp(p_lse) * out_se", NEW, "1.0 * tl.exp(p_lse) / out_se", "tl.exp(p_lse) / (1.0 * out_se)"):
        file.write_text((desk.harness / KERNEL).read_text().replace(OLD, new))
        brought.append(submit(begun.id, file, None, config, quiet))
    assert [len(judged) for _, judged in brought] == [0, 0, 0, 1]
    ended, (judged,) = brought[-1]
    first = wire.digest((desk.harness / KERNEL).read_text().replace(OLD, "tl.exp(p_lse) * out_se"))
    assert (judged.candidate.id, judged.verdict.kind, ended.state) == (first, "wrong", "no_win")
    with pytest.raises(UsageError, match="takes no more: the budget of 1 candidates is spent"):
        submit(begun.id, file, None, config, quiet)


@pytest.mark.slow
def test_the_whole_story_to_a_candidate_that_passes(desk: Desk) -> None:
    run = desk.optimize(2)["run"]
    first = desk.asked("next", run)
    again = desk.asked("next", run)
    assert first == again
    same = desk.kmaint("submit", run, Path(first["request"]) / "kernel.py")
    assert (same.returncode, "kernel.py is as it was: nothing changed; nothing was recorded" in same.stderr) == (
        2,
        True,
    )
    said = desk.asked("submit", run, edit(first["request"], OLD, BROKEN), code=1)
    plan = desk.state / "plan.json"
    plan.write_text(json.dumps({"bottleneck": "latency", "edit": "one reciprocal", "why": "a division less"}))
    passed = desk.asked("submit", run, edit(said["request"], BROKEN, NEW), "--plan", plan)
    assert (passed["candidate"]["verdict"], passed["candidate"]["edit"]) == ("passed", "one reciprocal")
    assert passed["request"] is None
    over = desk.asked("next", run, code=1)
    assert over["request"] is None
    late = desk.kmaint("submit", run, edit(first["request"], BROKEN, "tl.exp(p_lse) + out_se"))
    assert late.returncode == 2
    assert f"run {run} takes no more: the budget of 2 candidates is spent; allow it more:" in late.stderr
    more = desk.optimize(3)
    assert (more["run"], more["state"], len(more["candidates"])) == (run, "running", 2)
    assert desk.asked("next", run)["request"] == more["request"]


@pytest.mark.slow
def test_three_different_files_from_one_parent_are_each_judged(desk: Desk) -> None:
    """None of them gains anything by the estimate, so each turn begins with the original."""
    begun = desk.optimize(3)
    for new in (NEW, "1.0 * tl.exp(p_lse) / out_se", "tl.exp(p_lse) / (1.0 * out_se)"):
        asked = begun["request"]
        begun = desk.asked("submit", begun["run"], edit(asked, OLD, new))
        assert json.loads((Path(asked) / "request.json").read_text())["parent"] is None
        assert begun["candidate"]["verdict"] == "passed"
    assert begun["request"] is None


def test_a_run_that_asks_nobody_is_said_so(desk: Desk) -> None:
    ended = desk.kmaint("next", "no-such-run")
    assert (ended.returncode, "no run 'no-such-run'" in ended.stderr) == (2, True)
