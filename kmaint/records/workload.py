"""A launcher's contract: its axes, its arguments in terms of them, and the named workloads that bind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Binding = int | float | bool | str
"""What an axis may be bound to; a string is a dtype or one of a launcher's own option names."""

Json = object
"""What `json` reads: None, bool, number, text, or a list or dict of those."""

Origin = Literal["captured", "framework test", "framework benchmark", "model config", "derived"]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A size, flag or dtype that a caller chooses. Either `choices`, or whole numbers from `low` to `high`.

    `high` bounds what a generated test draws, not what a workload may bind. `edges` are the sizes at which the kernel's
    own code changes its path: block sizes, vector widths, thresholds in the launcher.
    """

    name: str
    choices: tuple[Binding, ...] = ()
    low: int = 0
    high: int = 0
    edges: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One parameter of the launcher.

    A `tensor` has `shape` (expressions over the axes), `dtype` (a torch name or an axis), `values` (a kind of content,
    see cases.py), `bound` (an expression that index values stay below) and the `layouts` the launcher admits. A `value`
    has `value`: JSON in which a string starting with `=` is an expression and `{"dtype": NAME}` is a torch dtype.
    """

    name: str
    kind: Literal["tensor", "value"]
    shape: tuple[str, ...] = ()
    dtype: str = ""
    values: str = "normal"
    bound: str = ""
    layouts: tuple[str, ...] = ("contiguous", "offset")
    strides: tuple[str, ...] = ()
    """Expressions, in elements, of a tensor that is never contiguous: a view of wider rows, a transpose."""
    when: str = "True"
    """An expression; where it is false the argument is None."""
    value: Json = None


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A named case: every axis bound, its share of the traffic, and where it came from.

    A case of weight 0 is no traffic: an example that a candidate must get right, and that is not timed.
    """

    name: str
    axes: dict[str, Binding]
    weight: float
    origin: Origin
    source: str
    """Which model, test or capture, in words."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """How a launcher may be called.

    `traffic` and `flops` are expressions over the axes: the fewest bytes the call must move through device memory, and
    its floating-point operations; empty where nobody has worked them out.
    """

    axes: tuple[Axis, ...]
    arguments: tuple[Argument, ...]
    constraints: tuple[str, ...] = ()
    traffic: str = ""
    flops: str = ""
    workloads: tuple[Workload, ...] = ()

    @property
    def timed(self) -> tuple[Workload, ...]:
        """The workloads that stand for traffic."""
        return tuple(one for one in self.workloads if one.weight)
