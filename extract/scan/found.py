"""What linking made of all readings: apart from what finds it, since a scan of an unchanged tree needs no more."""

from __future__ import annotations

from typing import NamedTuple

from extract.scan.walk import Stamp
from kmaint.records.kernel import Evidence, Kernel, Problem


class Found(NamedTuple):
    """The kernels and problems of a tree's files, and the stamps that they hold for."""

    stamps: dict[str, Stamp]
    kernels: tuple[Kernel, ...]
    problems: tuple[Problem, ...]
    unknown: tuple[Evidence, ...]
