"""What a value of a kernel becomes when one program takes several rows: its kind, and how kinds combine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kmaint.agent.transforms.base import NotApplicable


class DeeperBlocks(Exception):
    """The kernel's blocks have more dimensions than the lifting assumed; `rank` is how many."""

    def __init__(self, rank: int) -> None:
        super().__init__(rank)
        self.rank = rank


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a value of the original kernel looks: `rank` 0 is a scalar, None an unknown rank.

    `row` is whether it differs between rows; None where that hangs on a compile-time switch. A row's value has the rows
    in front and is padded to the rank of the kernel's blocks: [ROWS, 1] for a scalar among 1-D blocks, [ROWS, B] for a
    block. Values of lower rank meet it by broadcasting from the right. `place` is the dimension that holds the elements
    of a 1-D row value among 2-D blocks: 2 in [ROWS, 1, B], 1 in [ROWS, B, 1].
    """

    row: bool | None = False
    rank: int | None = 0
    static: bool = False
    """Known when the kernel is compiled."""
    boolean: bool = False
    place: int | None = None


STATIC = Kind(static=True, boolean=True)
UNIFORM = Kind()
OPAQUE = Kind(rank=None)


def join(left: Kind, right: Kind) -> Kind:
    """The kind of a value that is one or the other."""
    if left.row and right.row and left.rank == right.rank == 1 and left.place != right.place:
        raise NotApplicable("a value that lies along one dimension or another")
    return Kind(
        row=left.row if left.row == right.row else None,
        rank=left.rank if left.rank == right.rank else None,
        static=left.static and right.static,
        boolean=left.boolean and right.boolean,
        place=left.place if left.place == right.place else None,
    )


def combine(kinds: Iterable[Kind]) -> Kind:
    """The kind of an elementwise function of values of these kinds."""
    kinds = list(kinds)
    rows = [kind.row for kind in kinds]
    row = True if True in rows else None if None in rows else False
    ranks = [kind.rank for kind in kinds]
    rank = None if None in ranks else max((r for r in ranks if r is not None), default=0)
    places = {kind.place for kind in kinds if kind.row and kind.rank == 1}
    if rank == 1 and len(places) > 1:
        raise NotApplicable("rows meet blocks that lie along different dimensions")
    place = next(iter(places), None) if rank == 1 else None
    return Kind(row=row, rank=rank, static=all(kind.static for kind in kinds), place=place)


def truth(kind: Kind) -> Kind:
    """The kind of a comparison whose operands combine to this."""
    return replace(kind, boolean=True)
