"""What came of holding a harness against the op it was cut from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kmaint.records.evaluation import Environment
from kmaint.records.timing import Interval

ParityState = Literal["holds", "differs", "unlike_speed", "not_run"]


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Time of the harness over that of the shipped op on one workload: above 1 the harness is slower."""

    workload: str
    ratio: Interval


@dataclass(frozen=True, kw_only=True)
class Parity:
    """A harness against the shipped op on every workload, kept in the harness folder as parity.json.

    `holds`: the same bits, and on a GPU within 3 % of the speed; `reason` is empty then. `harness_sha256` names the
    content it was found for, `shipped` what was imported. `paces` is empty where nothing was timed.
    """

    state: ParityState
    reason: str
    shipped: str
    harness_sha256: str
    environment: Environment
    paces: tuple[Pace, ...] = ()

    @property
    def refuses(self) -> bool:
        """Whether the extraction was shown to be another kernel than the shipped one."""
        return self.state in ("differs", "unlike_speed")
