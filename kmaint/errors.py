"""Every error a user can meet, each with its exit code: defined in one place so that each stays clear and unique.

Measured code that fails is not an error but a verdict. An error says what, with which value, and what next.
"""

from __future__ import annotations

from typing import ClassVar


class KmaintError(Exception):
    """Base of what is shown to the user as one line. `hint` is what to do next."""

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.hint = hint


class UsageError(KmaintError):
    """Wrong usage or input: an unknown kernel, a tree that is not one, a dirty worktree."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting that is unknown or out of range."""


class HarnessError(UsageError):
    """A folder that is no harness, or one without its provenance."""


class MissingError(KmaintError):
    """Something needed is not there: an interpreter, a package, a device, the package index."""

    exit_code = 3


class InternalError(KmaintError):
    """Our own fault: a child of ours said something it should not have."""

    exit_code = 4
