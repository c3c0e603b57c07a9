"""What a scan finds: kernels, who launches them, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["triton", "gluon", "cute", "tilelang", "helion", "flydsl", "numba", "cuda", "hip"]
Role = Literal["kernel", "device", "declaration", "unknown"]
Evidence = Literal["tests", "benchmarks"]


@dataclass(frozen=True, kw_only=True)
class HostFunction:
    """A host function that launches a kernel; `callers` are the functions that call it, as `path::qualname`."""

    path: str
    qualname: str
    line: int
    callers: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.path}::{self.qualname}"


@dataclass(frozen=True, kw_only=True)
class Registration:
    """Where a framework's own registry names a kernel or its launcher: `name` as the registry spells it."""

    registry: str
    name: str
    path: str
    line: int


@dataclass(frozen=True, kw_only=True)
class TuningTables:
    """Tuned configurations that a launcher reads: how many files, for which devices, which common ones lack one."""

    folder: str
    files: int
    devices: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class History:
    """What git says of a kernel's file: ISO dates of first and last commit, how many, and by whom, busiest first.

    `created` is None where a shallow clone hides it; then `commits` counts only those that the clone holds.
    """

    created: str | None
    changed: str
    commits: int
    authors: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Heat:
    """A kernel's part in a served run: share of all GPU time (0 to 1), launches, and total device time.

    `ambiguous` are the ids of other kernels of that name: a trace cannot tell them apart, so each carries the whole.
    """

    share: float
    launches: int
    total_us: float
    ambiguous: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Unmatched:
    """GPU work of a trace that is no kernel of the tree: a library's kernel, a copy, a kernel of torch.compile."""

    name: str
    share: float
    launches: int
    total_us: float


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What `--hot` read: all GPU time (sum over streams), the share of the tree's own kernels, and the rest by name."""

    files: tuple[str, ...]
    total_us: float
    matched: float
    unmatched: tuple[Unmatched, ...]


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A kernel as its tree defines it; `path` is relative to the tree, `line` is that of `def`."""

    path: str
    line: int
    end_line: int
    name: str
    qualname: str
    language: Language
    role: Role
    decorators: tuple[str, ...] = ()
    launchers: tuple[HostFunction, ...] = ()
    used_by: tuple[str, ...] = ()
    """Ids of the kernels and device functions that call this device function."""
    tests: tuple[str, ...] = ()
    """The framework's own tests that reach it, as `path::qualname`."""
    benchmarks: tuple[str, ...] = ()
    registrations: tuple[Registration, ...] = ()
    tables: TuningTables | None = None
    history: History | None = None
    heat: Heat | None = None

    @property
    def id(self) -> str:
        """Stable across runs: no line number in it."""
        return f"{self.path}::{self.qualname}"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file that a scan could not read, with the reason in one line."""

    path: str
    line: int | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Release:
    """Which framework a tree holds; `version` is None where the tree does not say, `commit` outside a git checkout."""

    framework: str
    version: str | None
    commit: str | None
    licence: str
    """SPDX expression."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Everything a scan saw, in path and line order."""

    tree: str
    release: Release
    kernels: tuple[Kernel, ...]
    problems: tuple[Problem, ...]
    files: int
    seconds: float
    unknown: tuple[Evidence, ...] = ()
    """Evidence that the tree does not carry, so that none found says nothing: a wheel leaves its tests out."""
    trace: Trace | None = None
