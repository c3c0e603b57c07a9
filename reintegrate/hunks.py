"""A landed patch in the pieces that a person reads, each with a digest, taken from the commit itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kmaint.folder import sha256
from kmaint.records.attestation import Hunk
from kmaint.records.change import Landing
from reintegrate.patch import split_lines
from reintegrate.repository import git

# Whatever the user's settings are, the same commit gives the same text: its digest is what was attested to.
PLAIN = ("--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--unified=3")
ALGORITHM = "--diff-algorithm=myers"


def hunks_of(landing: Landing) -> tuple[Hunk, ...]:
    """The commit's hunks in the order of its diff; a file that changes without one, such as in its mode, is one."""
    words = ("diff-tree", "-r", "--patch", *PLAIN, ALGORITHM, landing.base, landing.commit)
    return tuple(split_hunks(git(Path(landing.tree), *words) + "\n"))


def contents_before(landing: Landing) -> dict[str, str]:
    """The paths that the commit changes, each with git's id of what it held before; empty where it is new."""
    lines = git(Path(landing.tree), "diff-tree", "-r", "--no-renames", landing.base, landing.commit).splitlines()
    changes = [(line.split()[2], line.partition("\t")[2]) for line in lines]
    return {path: "" if set(content) == {"0"} else content for content, path in changes}


def split_hunks(diff: str) -> Iterator[Hunk]:
    """The hunks of a diff as git prints it."""
    header: list[str] = []
    body: list[str] = []
    for line in [*split_lines(diff), "diff --git "]:
        begins_file, begins_hunk = line.startswith("diff --git "), line.startswith("@@ ")
        if header and (begins_file or (begins_hunk and body)):
            yield _hunk("".join(header), "".join(body))
        if begins_file:
            header, body = [line], []
        elif begins_hunk:
            body = [line]
        else:
            (body or header).append(line)


def _hunk(header: str, text: str) -> Hunk:
    # The last of "diff --git a/x b/x", "--- a/x" and "+++ b/x" that names a file.
    lines = header.split("\n")
    names = [line.split(maxsplit=1)[1] for line in lines if line.startswith(("--- ", "+++ "))]
    named = next((name for name in reversed(names) if name != "/dev/null"), lines[0].rpartition(" ")[2])
    return Hunk(path=named.partition("/")[2].strip(), header=header, text=text, digest=sha256(f"{header}{text}"))


def patch_digest(hunks: tuple[Hunk, ...]) -> str:
    """What names a whole patch: the same hunks, in the same order, of the same files."""
    return sha256("".join(hunk.digest for hunk in hunks))


def changed_lines(hunks: tuple[Hunk, ...]) -> int:
    """Lines added and lines removed, together."""
    return sum(line.startswith(("+", "-")) for hunk in hunks for line in split_lines(hunk.text))
