"""A win on its way into a tree: the edits and new files, what was checked, and the branch that carries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kmaint.records.workload import Binding

Kind = Literal["config", "edit", "guarded", "registry"]
"""What a patch is, smallest first: tuned configuration, edit in place, variant beside the original, backend."""

Part = Literal["table", "kernel", "test", "benchmark"]
"""What a new file is for."""

CheckState = Literal["passed", "fixed", "failed", "not_run"]
"""fixed: the framework's own formatter changed lines of the patch, after which it passed."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Lines `line` to `end_line` of `path` replaced by `after`; `before_sha256` is that of the lines it replaces.

    `adds` are names that `after` binds beside the symbol: a variant, its guard, an import.
    """

    path: str
    symbol: str
    line: int
    end_line: int
    before_sha256: str
    after: str
    adds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NewFile:
    """A whole file that the patch adds, or writes anew where one of sha256 `replaces` stands.

    `path` is relative to the tree; of a test or benchmark to the top of the repository, where the framework keeps them.
    """

    path: str
    text: str
    part: Part
    replaces: str = ""

    @property
    def at_top(self) -> bool:
        return self.part in ("test", "benchmark")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that the patch was held against, in the framework's own terms; `detail` is one line."""

    name: str
    state: CheckState
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Patch:
    """The edits of one win, in path and line order, and the sha256 of each touched file as it must stand before.

    `reason` says why it is of that kind and no smaller one. `shown` is what was shown of it before it met a repository.
    """

    edits: tuple[Edit, ...]
    files: dict[str, str]
    kind: Kind = "edit"
    reason: str = ""
    new: tuple[NewFile, ...] = ()
    shown: tuple[Check, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trap:
    """The file that a guarded patch leaves, but that each call which comes to the variant raises, with `said`.

    The guard turns `outside` away and admits `inside`: axes of calls.
    """

    source: str
    said: str
    outside: tuple[dict[str, Binding], ...]
    inside: dict[str, Binding]


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
    kind: Kind = "edit"
    reason: str = ""
    checks: tuple[Check, ...] = ()
