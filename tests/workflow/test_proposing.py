"""What keeps a draft from being opened is said, all of it at once, and nothing is asked of anyone before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint import workflow
from kmaint.errors import MissingError, UsageError
from kmaint.workflow.backing import bring_along
from tests.landed import Landed
from tests.reintegrate.forge.standin import TOKEN, StandIn, standing_in
from tests.workflow.test_attesting import ADA, attest

FORK, PROJECT = "ada/sglang", "sgl-project/sglang"
PATH = "sglang/kernels/ops/attention/merge_state.py"
CHECKS = ("linters", "framework_tests", "accuracy", "engine_benchmark")


def propose(landed: Landed, **wish: object) -> workflow.Proposed:
    return workflow.propose(landed.run, landed.config, lambda line: None, workflow.Wish(**wish))  # type: ignore[arg-type]


@pytest.fixture
def forge(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with standing_in(tmp_path / "forge") as found:
        found.add(PROJECT, tree)
        found.add(FORK, tree)
        monkeypatch.setenv("GITHUB_API_URL", f"{found.address}/api")
        monkeypatch.setenv("GITHUB_SERVER_URL", found.address)
        monkeypatch.setattr("reintegrate.forge.github.PACE_S", (0, 0))
        yield found


@pytest.fixture
def ready(landed: Landed, tmp_path: Path) -> Landed:
    """Attested, with something brought along for every check."""
    attest(landed, ADA, True, True, True)
    proof = tmp_path / "proof.txt"
    proof.write_text("before 100, after 126\n")
    bring_along(landed.run, landed.landing, landed.config, dict.fromkeys(CHECKS, proof))
    return landed


def test_a_dry_run_writes_what_would_be_sent_and_says_what_is_missing(landed: Landed, forge: StandIn) -> None:
    found = propose(landed, fork=FORK)
    assert (found.state, found.pull_request, forge.asked) == ("written", None, [])
    assert [reason.partition(":")[0] for reason in found.missing] == ["no person has attested to it", *CHECKS]
    request = json.loads((found.folder / "pull_request.json").read_text())
    assert (request["repository"], request["draft"], request["base"]) == (FORK, True, "main")
    assert request["body"].startswith("> **Not ready.** Before this can be opened:")
    assert json.loads((found.folder / "evidence" / "run.json").read_text())["run"]["id"] == landed.run.id
    assert (found.folder / "pull_request.patch").read_text().count("\n@@ ") == 3


def test_opening_is_refused_with_every_reason_and_nothing_is_asked(landed: Landed, forge: StandIn) -> None:
    found = propose(landed, opened=True, fork=FORK)
    assert (found.state, len(found.missing), forge.asked) == ("refused", 5, [])


def test_someone_else_at_it_stops_it_until_a_person_says_why_not(
    ready: Landed, forge: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    forge.add_pull(PROJECT, title="Tune merge_state_kernel on MI300")
    found = propose(ready, opened=True, fork=FORK)
    assert (found.state, forge.pulls[FORK]) == ("refused", [])
    assert found.search is not None
    assert [(one.pull_request.number, one.where) for one in found.search.mentions] == [(1, "title")]
    found = propose(ready, opened=True, fork=FORK, not_a_duplicate="that one is for AMD")
    assert (found.state, found.missing) == ("opened", ())
    [pull] = forge.pulls[FORK]
    assert "Not ready" not in pull["body"]
    assert propose(ready, opened=True, fork=FORK, not_a_duplicate="that one is for AMD").state == "unchanged"
    [win] = workflow.all_wins(ready.config)
    assert [step.state for step in win.history] == ["landed", "attested", "proposed"]


def test_what_was_not_measured_is_never_ready(ready: Landed) -> None:
    slower = replace(ready, run=replace(ready.run, best=None))
    assert propose(slower).missing[0] == (
        "no win was measured: run 'kmaint optimize' on the device that it is meant for"
    )


def test_forks_that_are_none(ready: Landed) -> None:
    for fork, said in (
        ("sgl-project/SGLang", "sgl-project/SGLang is the project itself; name your fork of it"),
        ("sglang", "'sglang' is no fork; name it as --fork owner/name"),
        (None, "no fork of sgl-project/sglang is named; give --fork owner/name"),
    ):
        with pytest.raises(UsageError) as error:
            propose(ready, opened=True, fork=fork)
        assert str(error.value).startswith(said)
    with pytest.raises(MissingError, match="no token for GitHub"):
        propose(ready, opened=True, fork=FORK)
