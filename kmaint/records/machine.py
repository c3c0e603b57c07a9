"""What a machine can do: one line for each thing that kmaint uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Standing = Literal["ok", "limited", "missing"]
Purpose = Literal["core", "extract", "check", "optimize", "mutate", "parity", "bench", "pr"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing: what was found of it, what it is used for, and the command that gets it where it is not `ok`.

    limited: something works without it, or it works in part; `found` says which part does not.
    """

    name: str
    standing: Standing
    found: str
    used_for: str
    get: str = ""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All findings, and which of those that the purpose needs are missing."""

    purpose: Purpose
    findings: tuple[Finding, ...]
    lacking: tuple[str, ...]
    """Names of findings."""
