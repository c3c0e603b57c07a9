"""The float64 truth of a case, and what the case itself does not decide.

Copied unchanged into every harness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from .tolerances import Tolerance, row_scale


class Truth(Protocol):
    """What float64 gives for a case, by the path of the output; asked for only where two calls differ."""

    def __call__(self, draw: int = 0, /) -> Mapping[str, torch.Tensor]:
        """With a draw other than 0, for the case as that one moves it (see `moved`)."""


def kept(truth: Truth) -> Truth:
    """The same, worked out once for the case as it stands: a draw is asked for once, and may be large."""
    known: dict[int, Mapping[str, torch.Tensor]] = {}

    def found(draw: int = 0, /) -> Mapping[str, torch.Tensor]:
        if draw:
            return truth(draw)
        if not known:
            known[0] = truth()
        return known[0]

    return found


MOST_DRAWS = 60
"""How often a case is moved to see what it does not decide: a weight of a softmax varies by factors, and two scores of
80 million that stand next to each other change places in one draw of five or ten only."""
TELLING_DRAWS = 3
"""After these it is asked whether more can tell anything: only where moving the case farther moves it at all."""
FARTHER_DRAWS = 6
FARTHER = 32.0
"""Times as far, 2^-17: scores that are close then lie in another order in every second draw, and a result that hangs
on its arguments no more than in proportion stays within what its type allows."""
FEW, OUTSIDE = 2, 0.06
"""Of the elements in question so many, and this share of them, may lie outside of what the draws came to. One more draw
of softmaxes over 64 scores of a billion had 1 to 7 % of its elements outside of 60 draws; twice the result had 13 % and
more, its negative 3 to 31 %, and all of them where the values are positive."""
SIZE = 2.0
"""But no larger than this many times what they came to."""
A_FEW_ROUNDINGS = 2.0**-22
"""Of float32, in which kernels sum whatever the types of their arguments: what some hundred terms may come to."""


def moved(arguments: Mapping[str, Any], draw: int) -> dict[str, Any]:
    """The arguments with every element of float64 moved by up to a few roundings of float32, each way and at random; as
    they are for the draw 0, and FARTHER for one below."""
    found, by = dict(arguments), A_FEW_ROUNDINGS * (FARTHER if draw < 0 else 1.0)
    for number, (name, value) in enumerate(arguments.items() if draw else ()):
        if isinstance(value, torch.Tensor) and value.dtype == torch.float64:
            noise = torch.Generator(value.device).manual_seed(draw * 1000 + number)
            share = torch.rand(value.shape, generator=noise, device=value.device, dtype=torch.float64)
            found[name] = value * (1.0 + by * (2.0 * share - 1.0))
    return found


@dataclass
class Spread:
    """Elementwise, what a case came to: the finite results from `low` to `high`, and which others there were."""

    known: torch.Tensor
    tolerance: Tolerance
    allowed: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    others: dict[str, torch.Tensor]
    wide: torch.Tensor
    """Where a draw was not the known result within the tolerance."""

    @staticmethod
    def around(known: torch.Tensor, tolerance: Tolerance) -> Spread:
        finite, nowhere = known.isfinite(), torch.zeros(known.shape, dtype=torch.bool)
        magnitude = torch.where(finite, known.abs(), 0.0)
        return Spread(
            known=known,
            tolerance=tolerance,
            allowed=tolerance.relative * magnitude + tolerance.absolute * row_scale(known),
            low=torch.where(finite, known, torch.inf),
            high=torch.where(finite, known, -torch.inf),
            others=_kinds(known),
            wide=nowhere,
        )

    def add(self, other: torch.Tensor) -> None:
        finite, kinds = other.isfinite(), _kinds(other)
        self.low = torch.where(finite, torch.minimum(self.low, other), self.low)
        self.high = torch.where(finite, torch.maximum(self.high, other), self.high)
        near = self.known.isfinite() & finite & ((other - self.known).abs() <= self.allowed)
        before = _kinds(self.known)
        self.wide = self.wide | ~(near | self._same_kind(before, kinds))
        self.others = {name: self.others[name] | kinds[name] for name in kinds}

    @property
    def open(self) -> torch.Tensor:
        """Elementwise, whether a draw moved anything of its row: the same weights decide all of it."""
        return self.wide.any(dim=-1, keepdim=True).expand_as(self.wide) if self.wide.dim() > 1 else self.wide

    def thinkable(self, got: torch.Tensor) -> torch.Tensor:
        """Whether it is a number of the size of what its row came to."""
        return got.isfinite() & (got.abs() <= SIZE * torch.maximum(row_scale(self.low), row_scale(self.high)))

    def holds(self, got: torch.Tensor) -> torch.Tensor:
        """Whether it may have been: among the finite results, or an infinity or NaN where one of them was that."""
        inside = got.isfinite() & (got >= self.low - self.allowed) & (got <= self.high + self.allowed)
        for name, kind in _kinds(got).items():
            inside = inside | (kind & self.others[name])
        return inside

    @staticmethod
    def _same_kind(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.stack([one[name] & other[name] for name in one]).any(dim=0)


def _kinds(x: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"nan": x.isnan(), "inf": x == torch.inf, "-inf": x == -torch.inf}


def _tells(spread: Spread, truth: Truth, path: str, got: torch.Tensor, asked: torch.Tensor) -> bool:
    """Whether more draws may excuse what is asked: where moving the case farther moves each row of it, and comes to
    half of it. A draw of six may miss one value of many, so a few may be others."""
    wider = Spread.around(spread.known, spread.tolerance)
    for draw in range(1, FARTHER_DRAWS + 1):
        wider.add(truth(-draw)[path].double().cpu())
    moves = spread.open | wider.open
    met = spread.holds(got) | wider.holds(got)
    return bool(moves[asked].all()) and int((asked & met).sum()) + FEW >= int(asked.sum()) / 2


def undecided(
    truth: Truth,
    path: str,
    got: torch.Tensor,
    tolerance: Tolerance,
    asked: torch.Tensor | None = None,
    *,
    rows: bool = True,
) -> torch.Tensor:
    """Elementwise, which of those `asked` the case does not decide, and may come to what was got.

    It does not decide them where moving its numbers by a few roundings of float32 changes the result by more than the
    tolerance: where a softmax is over scores of a billion, say, another order of summation decides. With `rows`, where
    that changes anything of their row: the original's row is then no yardstick, and beside what moves by much stands
    what moves by less than is allowed there.
    """
    known, got = truth()[path].double().cpu(), got.double()
    nowhere = torch.zeros(got.shape, dtype=torch.bool)
    if known.shape != got.shape:
        return nowhere
    asked = ~nowhere if asked is None else asked
    spread, found = Spread.around(known, tolerance), nowhere
    for draw in range(1, MOST_DRAWS + 1):
        spread.add(truth(draw)[path].double().cpu())
        found = asked & (spread.open if rows else spread.wide) & spread.holds(got)
        if bool(found[asked].all()) or (draw == TELLING_DRAWS and not _tells(spread, truth, path, got, asked & ~found)):
            break
    else:
        late = asked & ~found & spread.wide & spread.thinkable(got)
        if int(late.sum()) <= FEW + OUTSIDE * int(asked.sum()):
            found = found | late
    return found
