"""A win on its way into a tree: the edits, and the branch that carries them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Lines `line` to `end_line` of `path` replaced by `after`; `before_sha256` is that of the lines it replaces."""

    path: str
    symbol: str
    line: int
    end_line: int
    before_sha256: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Patch:
    """The edits of one win, in path and line order, and the sha256 of each touched file as it must stand before."""

    edits: tuple[Edit, ...]
    files: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Landing:
    """A branch with one commit on it. `diff` is what `git show` prints, `stat` its summary line.

    `author` is who git was told committed: the user, or kmaint itself where git knows no name.
    """

    tree: str
    branch: str
    commit: str
    base: str
    diff: str
    stat: str
    patch_file: str
    author: str = ""
