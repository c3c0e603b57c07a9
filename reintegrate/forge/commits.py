"""Commits made without a worktree: of the record behind a patch, and of a patch with its reviewer's sign-off."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kmaint.records.attestation import SignOff
from kmaint.records.change import Landing
from reintegrate.repository import NEUTRAL, git


def evidence_commit(tree: Path, files: Mapping[str, str], *, message: str, at: str) -> str:
    """A commit without a parent that holds these files at its top. Equal content and time give the equal commit."""
    entries = "".join(
        f"100644 blob {git(tree, 'hash-object', '-w', '--stdin', stdin=text)}\t{name}\n"
        for name, text in sorted(files.items())
    )
    top = git(tree, "mktree", stdin=entries)
    return git(tree, "commit-tree", top, stdin=message, environment=_by(*NEUTRAL, at))


def signed_commit(landing: Landing, signed: SignOff | None) -> str:
    """The landed commit with the line that its reviewer typed, and the reviewer as author; without one, as landed."""
    if signed is None:
        return landing.commit
    tree = Path(landing.tree)
    message = git(tree, "show", "--no-patch", "--format=%B", landing.commit)
    message = git(tree, "interpret-trailers", "--trailer", signed.line, stdin=f"{message.rstrip()}\n")
    name, _, address = signed.reviewer.rstrip(">").partition(" <")
    parent = ("-p", landing.base)
    return git(
        tree,
        "commit-tree",
        f"{landing.commit}^{{tree}}",
        *parent,
        stdin=f"{message}\n",
        environment=_by(name, address, signed.at),
    )


def _by(name: str, address: str, at: str) -> dict[str, str]:
    return {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", name), ("EMAIL", address), ("DATE", at))
    }
