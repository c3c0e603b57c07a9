"""What every transform shares: what it is given, what it gives back, and how it says that it does not apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kmaint.records.evaluation import Bottleneck, Resources
from kmaint.records.workload import Contract

MOST_BYTES_PER_THREAD = 512
"""128 registers of four bytes: half of what a thread can have."""
MOST_WANTED = 2 * 255
"""Registers by simple proportion: some of a thread's are addresses and counters, which do not grow with its share."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A whole kernel.py and which of its functions are the kernel and the launcher."""

    source: str
    kernel: str
    entry: str
    contract: Contract
    bytes_per_program: float | None = None
    """What one program moves at the largest workload; None where nobody knows."""
    resources: Resources | None = None
    """What the compiler made of the kernel, for the workload that takes most registers; None where nobody knows."""

    def suits(self, *, rows: int, warps: int) -> bool:
        """Whether so many of today's programs in one leave each thread a sensible share: 4 to 512 bytes.

        More spills registers and takes the compiler minutes; less leaves most of a 16-byte access unused. What is not
        known is tried.
        """
        if self.bytes_per_program is None:
            return True
        return 4 <= rows * self.bytes_per_program / (warps * 32) <= MOST_BYTES_PER_THREAD

    def fits(self, *, rows: int, warps: int) -> bool:
        """Whether so many of today's programs in one may do with a thread's registers, by how many one takes today.

        For a kernel with a loop, of which nobody knows how much it holds at a time. What is not known is tried.
        """
        if self.resources is None:
            return True
        return self.resources.registers * self.resources.num_warps * rows <= MOST_WANTED * warps

    @property
    def warps(self) -> int:
        """What the launch has today, as far as anybody knows."""
        return self.resources.num_warps if self.resources else 4


@dataclass(frozen=True, kw_only=True)
class Edited:
    """A variant of the subject's source: `note` says in words what changed, `anchor` which lines of the subject."""

    source: str
    note: str
    anchor: tuple[int, int]


class NotApplicable(Exception):
    """The subject does not meet a transform's precondition; the text says which part of it."""


@dataclass(frozen=True, kw_only=True)
class Transform:
    """A named edit. `apply` gives one or more variants, or raises NotApplicable.

    `before` is a small kernel.py (kernel `kernel`, launcher `launch`) and `after` the first variant of it; a test
    holds them together and runs both under the interpreter. `rounding` says whether last bits may change.
    """

    name: str
    why: str
    precondition: str
    addresses: tuple[Bottleneck, ...]
    rounding: bool
    before: str
    after: str
    apply: Callable[[Subject], list[Edited]]
