"""A kernel standing alone: where it is from, which pieces were cut out, and what stands in for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from kmaint.records.workload import Contract

Compute = Literal["kernel", "any"]
HarnessState = Literal["ready", "imports", "stopped"]
Level = Literal["launcher", "kernel"]
"""What a harness's entry is: the framework's own launcher, or a generated function that launches the kernel."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """A verbatim piece of the tree: lines `line` to `end_line` (both included, from 1) of `path`.

    `sha256` is that of the lines as they stand in the tree; `symbol` is what they define (several, joined by commas,
    where one statement defines several).
    """

    path: str
    symbol: str
    line: int
    end_line: int
    sha256: str
    indent: int = 0
    """How many columns its lines stand to the right in the tree: a kernel inside a class or function is lifted."""


@dataclass(frozen=True, kw_only=True)
class Stub:
    """A stand-in for a framework symbol, with the reason it may stand in."""

    symbol: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a harness was cut from. `files` maps each touched path to the sha256 of the whole file at extraction."""

    framework: str
    version: str | None = None
    commit: str | None = None
    path: str
    symbol: str
    line: int
    end_line: int
    licence: str
    files: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Harness:
    """A harness folder as read back from disk.

    `entry` is the launcher's name in kernel.py, `kernel` that of the kernel. `compute` says whether a candidate may use
    torch arithmetic ("any") or must do its work in kernels of its own ("kernel").
    """

    folder: Path
    kernel: str
    entry: str
    language: Literal["triton", "cuda"]
    op: str
    compute: Compute
    provenance: Provenance
    regions: tuple[Region, ...]
    stubs: tuple[Stub, ...]
    contract: Contract
    oracle: bool
    """Whether reference.py holds a float64 recomputation."""
    level: Level = "launcher"
    no_launcher: str = ""
    """Why the entry is not a launcher, at the kernel's level: one line that names the symbol."""
    requires: tuple[str, ...] = ()
    """What its environment needs beyond torch, triton and pytest: packages, and programs such as nvcc."""

    @property
    def id(self) -> str:
        return f"{self.provenance.path}::{self.provenance.symbol}"

    @property
    def replaced(self) -> Path:
        """The file whose whole text a candidate is: kernel.py, or in CUDA C++ the one that holds the kernel."""
        suffix = PurePosixPath(self.regions[0].path).suffix if self.language == "cuda" else ".py"
        return self.folder / f"kernel{suffix}"


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """How one extraction ended. `reason` is empty when ready; otherwise one line that names the symbol or argument."""

    id: str
    folder: Path | None
    state: HarnessState
    reason: str = ""
    level: Level | None = None
    """None where there is no harness."""
    no_launcher: str = ""
    """Why it is not cut at its launcher, at the kernel's level."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A generated test file and the properties it states."""

    path: Path
    properties: tuple[str, ...]
    examples: int
    """How many workloads stand in it as explicit examples."""
