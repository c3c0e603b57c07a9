"""Branches pushed over HTTPS. The token is in the environment of git's child and nowhere else."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from kmaint.errors import KmaintError, MissingError, UsageError
from kmaint.records.pull_request import Head
from reintegrate.repository import git

# git asks this program for a name and a password; it holds neither.
ASKPASS = """#!/bin/sh
case "$1" in
  Username*) echo x-access-token ;;
  *) printf '%s\\n' "$KMAINT_GIT_TOKEN" ;;
esac
"""

SETTINGS = (
    "credential.helper=",  # the user's own would write the token down
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
)


SERVER = ("GITHUB_SERVER_URL", "https://github.com")
"""The variable that GitHub's own runners set, and what holds without it."""


def address_of(fork: str, commit: str, path: str) -> str:
    """Where a browser finds a file of a commit."""
    return f"{os.environ.get(*SERVER)}/{fork}/blob/{commit}/{path}"


def push(tree: Path, fork: str, heads: Sequence[Head], token: str) -> None:
    """Bring the branches to their commits, all or none; what is there already is left.

    UsageError where a branch holds what no earlier call of ours pushed; MissingError where the forge cannot be reached
    or does not take the token.
    """
    address = f"{os.environ.get(*SERVER)}/{fork}.git"
    with _asking(token) as environment:
        there = _listed(tree, address, [head.branch for head in heads], environment)
        wanted = [head for head in heads if there.get(head.branch) != head.commit]
        for head in wanted:
            if there.get(head.branch, head.commit) not in (head.commit, *head.ours):
                raise UsageError(
                    f"{address}: branch {head.branch} exists, at {there[head.branch][:12]}, which kmaint did not push",
                    f"delete it there or land on another name: 'git push {address} --delete {head.branch}'",
                )
        if wanted:
            # The lease: a branch moves only from where it was just seen, or comes to be where there was none.
            leases = [f"--force-with-lease=refs/heads/{h.branch}:{there.get(h.branch, '')}" for h in wanted]
            refs = [f"{head.commit}:refs/heads/{head.branch}" for head in wanted]
            _spoken(tree, address, environment, "push", "--quiet", "--atomic", "--no-verify", *leases, address, *refs)


def _listed(tree: Path, address: str, branches: list[str], environment: dict[str, str]) -> dict[str, str]:
    names = [f"refs/heads/{branch}" for branch in branches]
    lines = _spoken(tree, address, environment, "ls-remote", address, *names).splitlines()
    return {name.removeprefix("refs/heads/"): commit for commit, _, name in (line.partition("\t") for line in lines)}


def _spoken(tree: Path, address: str, environment: dict[str, str], *words: str) -> str:
    try:
        return git(tree, *words, settings=SETTINGS, environment=environment)
    except UsageError as error:
        raise _explained(address, error) from error


def _explained(address: str, error: UsageError) -> KmaintError:
    said = error.message.partition("failed: ")[2]
    if any(words in said for words in ("Authentication failed", "could not read Username", "403")):
        return MissingError(
            f"{address}: git's push was refused: {said}",
            "the token may have expired or may not write there: make one that may, and set GITHUB_TOKEN",
        )
    if "not found" in said:
        return MissingError(f"{address}: {said}", "fork the project first, or name your fork with --fork owner/name")
    if "failed to push some refs" in said:
        return UsageError(
            f"{address}: a branch moved while it was pushed", "look who else pushes there, then call the same again"
        )
    return MissingError(f"{address}: {said}", "call the same again once it can be reached: nothing is done twice")


@contextlib.contextmanager
def _asking(token: str) -> Iterator[dict[str, str]]:
    """The environment in which git gets the token when it asks."""
    with tempfile.TemporaryDirectory(prefix="kmaint-askpass-") as folder:
        program = Path(folder) / "askpass"
        program.write_text(ASKPASS)
        program.chmod(0o700)
        yield {"GIT_ASKPASS": str(program), "SSH_ASKPASS": str(program), "KMAINT_GIT_TOKEN": token}
