"""What is known of a launcher once its contract is, and the exception for one that has none."""

from __future__ import annotations

from dataclasses import dataclass

from kmaint.records.call import Call
from kmaint.records.harness import Compute, Level
from kmaint.records.workload import Contract


class NotDerivable(Exception):
    """No contract could be had; the text is one line that names the argument that stood in the way."""


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A contract with what a harness's manifest says beside it; `reference` is the text of reference.py."""

    contract: Contract
    op: str
    compute: Compute
    reference: str | None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a contract is wanted for: `source` is kernel.py as one file, with what stands in for the framework in it."""

    source: str
    kernel: str
    entry: str
    framework: str
    level: Level = "launcher"
    sites: tuple[str, ...] = ()
    """Texts of the tree's functions that launch the kernel: what a contract at its own level is read from."""
    calls: tuple[Call, ...] = ()
    """How the entry was seen to be called."""
    examples: tuple[Call, ...] | None = None
    """How the framework's own tests and benchmarks call it; None where they were not read."""
