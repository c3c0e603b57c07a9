"""A win carried to another upstream: its regions merged three ways into the regions as they stand there now."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kmaint.child import run_child
from kmaint.errors import InternalError
from kmaint.folder import END, MARKER, sha256, split_regions
from kmaint.records.change import Patch
from reintegrate.kinds.cuda.edit import edits_between
from reintegrate.kinds.cuda.pieces import UnreadableError, reached, read_pieces
from reintegrate.patch import splice

Key = tuple[str, str]
"""Path and symbol of a region."""


@dataclass(frozen=True, kw_only=True)
class Rebased:
    """The new upstream's kernel.py with the win in it. `contained` says that upstream has the very edit already."""

    source: str
    contained: bool
    changed: bool
    """Whether upstream touched one of the regions that the win changes."""


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """What cannot be carried over: why, and the merged text with git's marks, empty where nothing could be merged."""

    reason: str
    text: str = ""


def rebase(original: str, source: str, upstream: str) -> Rebased | Conflict:
    """Merge what changed from `original` to `source` into `upstream`, region by region; each is a whole kernel.py.

    A region that moved is the one of its symbol in a file of the same name, or in any other where there is none.
    """
    before, after, now = split_regions(original), split_regions(source), split_regions(upstream)
    merged: dict[Key, str] = {}
    changed = False
    for key in (one for one in after if before.get(one) != after[one]):
        place = key if key in now else _moved(key, before, now)
        if place is None:
            return Conflict(reason=f"{key[1]} is no longer part of the kernel at {key[0]}")
        if place in merged:
            return Conflict(reason=f"{key[1]} of two files has become one, at {place[0]}")
        found = _merged(key[1], before.get(key, ""), after[key], now[place])
        if isinstance(found, Conflict):
            return found
        merged[place] = found
        changed |= before.get(key) != now[place]
    contained = bool(merged) and all(text == now[place] for place, text in merged.items())
    return Rebased(source=with_regions(upstream, merged), contained=contained, changed=changed)


def rebase_file(original: str, source: str, upstream: str, name: str) -> Rebased | Conflict:
    """As `rebase`, of whole files of CUDA C++; `name` is what the win changed in them."""
    found = _merged(name, original, source, upstream)
    if isinstance(found, Conflict):
        return found
    return Rebased(source=found, contained=found == upstream, changed=original != upstream)


def rebase_guarded_file(landed: Patch, original: str, path: str, upstream: str) -> Patch | Conflict:
    """A guarded variant as it was landed, in a file of CUDA C++ that stands at the path and now reads `upstream`.

    It holds copies of what leads from the operator to what the win changed, and goes by what stands around it: where
    upstream changed either, it would not be what was judged.
    """
    patched = splice(original, landed.edits)
    try:
        before, after, now = read_pieces(original), read_pieces(patched), read_pieces(upstream)
    except UnreadableError as error:
        return Conflict(reason=f"{path} cannot be told apart into definitions: {error}")
    known, standing = {piece.key for piece in before}, {piece.key for piece in now}
    goes_by = {name for one in after if one.key not in known for piece in reached(after, one) for name in piece.names}
    if gone := sorted(name for one in before if one.key not in standing for name in one.names & goes_by):
        return Conflict(reason=f"upstream changed {gone[0]}, which the guarded variant copies or goes by")
    symbol = landed.edits[0].symbol
    text = _merged(symbol, original, patched, upstream)
    if isinstance(text, Conflict):
        return text
    edits = edits_between(path, symbol, upstream, text)
    return Patch(edits=edits, files={path: sha256(upstream)}, kind=landed.kind, reason=landed.reason)


def _merged(name: str, base: str, ours: str, theirs: str) -> str | Conflict:
    text, conflicts = three_way(base, ours, theirs)
    if conflicts:
        both = "once" if conflicts == 1 else f"in {conflicts} places"
        return Conflict(reason=f"upstream and the win both changed {name}, {both}", text=text)
    return text


def _moved(key: Key, before: Mapping[Key, str], now: Mapping[Key, str]) -> Key | None:
    """Where a region that moved stands, if that is one place, and one where nothing stood before; in a file of the same
    name, if there is one."""
    path, symbol = key
    found = [one for one in now.keys() - before.keys() if one[1] == symbol]
    same = [one for one in found if PurePosixPath(one[0]).name == PurePosixPath(path).name]
    only = same or found
    return only[0] if len(only) == 1 else None


def three_way(base: str, ours: str, theirs: str) -> tuple[str, int]:
    """`git merge-file`: the text with both changes, and how many places conflict."""
    with tempfile.TemporaryDirectory(prefix="kmaint-merge-") as folder:
        names = {"upstream": theirs, "as extracted": base, "win": ours}
        paths = [Path(folder) / name for name in names]
        for path, text in zip(paths, names.values(), strict=True):
            path.write_text(text)
        labels = [word for name in names for word in ("-L", name)]
        done = run_child(["git", "merge-file", "-p", "--diff3", *labels, *paths], timeout_s=60)
    if not 0 <= done.code < 128:
        raise InternalError(f"git merge-file ended with {done.code}: {done.stderr.strip()}", "please report this")
    return done.stdout, done.code


def with_regions(kernel_source: str, texts: Mapping[Key, str]) -> str:
    """The kernel.py with these texts in place of what its regions hold."""
    lines, inside = [], False
    for line in kernel_source.splitlines(keepends=True):
        found = MARKER.match(line.rstrip("\n"))
        if found and (found["path"], found["symbol"]) in texts:
            lines += [line, texts[found["path"], found["symbol"]]]
            inside = True
        elif line.rstrip("\n") == END:
            inside = False
            lines.append(line)
        elif not inside:
            lines.append(line)
    return "".join(lines)
