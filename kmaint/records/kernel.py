"""What a scan finds: kernels, who launches them, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["triton", "gluon", "cute", "tilelang", "helion", "flydsl", "numba", "cuda", "hip"]
Role = Literal["kernel", "device", "declaration", "unknown"]


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
