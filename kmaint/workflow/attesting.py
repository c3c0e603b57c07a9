"""A landed patch before a person: each hunk shown, each answer kept as it is given."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import reintegrate
from kmaint import wire
from kmaint.config import Config
from kmaint.errors import UsageError
from kmaint.records.attestation import Answer, Attestation, Hunk, SignOff
from kmaint.records.change import Landing
from kmaint.records.run import Run
from kmaint.store import Store
from kmaint.workflow.keeping import note, now
from kmaint.workflow.landing import earlier_landing

PERSON = re.compile(r"[^<>\n]*[^<>\s] <[^<>@\s]+@[^<>@\s]+>")
ANSWERED, SIGNED = "attested", "signed_off"
"""Kinds of event that a run's answers and sign-offs are kept as."""


class Reader(Protocol):
    """A person at a terminal."""

    def read(self, hunk: Hunk, number: int, total: int) -> tuple[bool, str] | None:
        """Yes or no, and why not; None where the person stops."""

    def sign(self, line: str) -> bool:
        """Whether the person typed the line out."""


def attest(run: Run, reviewer: str, config: Config, reader: Reader) -> Attestation:
    """Put before the person what they have not said yes to yet, then ask for their sign-off. Stopped, it goes on there.

    The patch is the landed commit's own: any other, and all of it is shown again.
    """
    if not PERSON.fullmatch(reviewer):
        raise UsageError(f"{reviewer!r} is no person", "write it as --reviewer 'Name <mail@example.org>'")
    landing = standing_landing(run, config)
    with Store(config.state) as store:
        attestation = attestation_of(run, landing, store)
        total = len(attestation.hunks)
        for number, hunk in enumerate(attestation.hunks, start=1):
            if hunk not in attestation.left(reviewer):
                continue
            said = reader.read(hunk, number, total)
            if said is None:
                break
            answer = Answer(
                reviewer=reviewer,
                patch=attestation.patch,
                hunk=hunk.digest,
                path=hunk.path,
                yes=said[0],
                reason=said[1],
                at=now(),
            )
            store.note(run.id, ANSWERED, wire.dump(answer))
        attestation = attestation_of(run, landing, store)
        line = f"Signed-off-by: {reviewer}"
        signed_already = reviewer in [one.reviewer for one in attestation.sign_offs]
        if reviewer in attestation.reviewers and not signed_already and reader.sign(line):
            signed = SignOff(reviewer=reviewer, patch=attestation.patch, line=line, at=now())
            store.note(run.id, SIGNED, wire.dump(signed))
        attestation = attestation_of(run, landing, store)
    if reviewer in attestation.reviewers:
        note(run, config, "attested", f"by {reviewer}")
    return attestation


def standing_landing(run: Run, config: Config) -> Landing:
    """The run's landing, while its branch is where it was left. UsageError where there is none."""
    landing = earlier_landing(run, config)
    if landing is None:
        raise UsageError(f"run {run.id} is not landed", f"land it with 'kmaint reintegrate {run.id} --into TREE'")
    if not reintegrate.stands(landing):
        raise UsageError(
            f"{landing.tree}: branch {landing.branch} is gone or no longer at {landing.commit[:12]}",
            f"land the run again with 'kmaint reintegrate {run.id} --into {landing.tree} --branch NAME'",
        )
    return landing


def attestation_of(run: Run, landing: Landing, store: Store) -> Attestation:
    """Who said what of the patch as it is now; words about any other patch are not in it."""
    hunks = reintegrate.hunks_of(landing)
    patch = reintegrate.patch_digest(hunks)
    events = store.events(run.id)
    answers = [wire.load(Answer, event.payload) for event in events if event.kind == ANSWERED]
    signed = [wire.load(SignOff, event.payload) for event in events if event.kind == SIGNED]
    return Attestation(
        patch=patch,
        hunks=hunks,
        answers=tuple(_last_words([answer for answer in answers if answer.patch == patch])),
        sign_offs=tuple(one for one in signed if one.patch == patch),
    )


def _last_words(answers: Sequence[Answer]) -> list[Answer]:
    """The last of each person on each hunk: a no can be taken back, and a yes too."""
    return list({(answer.reviewer, answer.hunk): answer for answer in answers}.values())
