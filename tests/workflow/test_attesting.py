"""An attestation is of exactly the patch that was shown, by exactly who was shown it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kmaint import workflow
from kmaint.errors import UsageError
from kmaint.records.attestation import Attestation, Hunk
from kmaint.store import Store
from kmaint.workflow.attesting import ANSWERED, attestation_of
from tests.landed import Landed

ADA, BOB = "Ada Lovelace <ada@example.org>", "Bob <bob@example.org>"


class Person:
    """Says what they are told to, and keeps what they were shown."""

    def __init__(self, *answers: bool) -> None:
        self.answers, self.shown, self.signs = list(answers), list[str](), False

    def read(self, hunk: Hunk, number: int, total: int) -> tuple[bool, str] | None:
        if not self.answers:
            return None
        self.shown.append(hunk.digest)
        return self.answers.pop(0), ""

    def sign(self, line: str) -> bool:
        return self.signs


def attest(landed: Landed, reviewer: str, *answers: bool) -> Attestation:
    return workflow.attest(landed.run, reviewer, landed.config, Person(*answers))


def test_all_of_it_has_to_be_said_yes_to_by_one_person(landed: Landed) -> None:
    assert attest(landed, ADA, True, True).reviewer == ""
    assert attest(landed, BOB, True).reviewer == ""
    assert attest(landed, ADA, True).reviewer == ADA
    [win] = workflow.all_wins(landed.config)
    assert [(step.state, step.said) for step in win.history][1:] == [("attested", f"by {ADA}")]


def test_anyones_no_stands_against_it(landed: Landed) -> None:
    attest(landed, ADA, True, True, True)
    refused = attest(landed, BOB, False)
    assert (refused.reviewer, [one.reviewer for one in refused.refusals]) == ("", [BOB])
    assert attest(landed, BOB, True).reviewer == ADA


def test_who_signs_off_is_who_stands_behind_it(landed: Landed) -> None:
    attest(landed, ADA, True, True, True)
    bob = Person(True, True, True)
    bob.signs = True
    found = workflow.attest(landed.run, BOB, landed.config, bob)
    assert (found.reviewers, found.reviewer) == ((ADA, BOB), BOB)
    assert found.sign_off is not None
    assert found.sign_off.line == f"Signed-off-by: {BOB}"


def test_another_patch_is_another_matter(landed: Landed) -> None:
    """The branch's commit is read, not what was written down about it."""
    assert attest(landed, ADA, True, True, True).reviewer == ADA
    tree = Path(landed.landing.tree)
    for words in (
        ("switch", "--quiet", landed.landing.branch),
        ("commit", "--quiet", "--amend", "--allow-empty", "--message=Same patch, other words"),
    ):
        subprocess.run(["git", *words], cwd=tree, check=True)
    with pytest.raises(UsageError) as error:
        attest(landed, ADA)
    assert str(error.value) == (
        f"{tree}: branch {landed.landing.branch} is gone or no longer at {landed.landing.commit[:12]}; land the run "
        f"again with 'kmaint reintegrate {landed.run.id} --into {tree} --branch NAME'"
    )


def test_words_about_a_patch_that_was_are_not_counted(landed: Landed) -> None:
    attest(landed, ADA, True, True, True)
    with Store(landed.state) as store:
        for event in store.events(landed.run.id):
            if event.kind == ANSWERED:
                assert isinstance(event.payload, dict)
                store.note(landed.run.id, ANSWERED, {**event.payload, "patch": "0" * 64, "yes": False})
        found = attestation_of(landed.run, landed.landing, store)
    assert found.reviewer == ADA


@pytest.mark.parametrize("name", ["Ada", "ada@example.org", "Ada <ada>", " <ada@example.org>", "A <a@b>\nB <b@c>"])
def test_who_attests_has_a_name_and_an_address(name: str, landed: Landed) -> None:
    with pytest.raises(UsageError, match="is no person; write it as --reviewer"):
        attest(landed, name)
