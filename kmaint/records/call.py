"""A call of a launcher as it was seen, by a live capture or in a framework's own test or benchmark."""

from __future__ import annotations

from dataclasses import dataclass

from kmaint.records.workload import Binding, Origin


@dataclass(frozen=True, kw_only=True)
class SeenTensor:
    """A tensor argument: sizes and strides in elements, `dtype` a torch name such as `bfloat16`.

    Tensors of one call with the same `storage` share memory. `offset` is where it begins in that, in elements.
    `values` are the first elements of an index tensor in row-major order (all where there are few), None where they
    were not kept; `low` and `high` then bound all its values.
    """

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str
    storage: int | None = None
    offset: int = 0
    values: tuple[int, ...] | None = None
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, kw_only=True)
class SeenDtype:
    """A torch dtype given as an argument."""

    dtype: str


@dataclass(frozen=True, kw_only=True)
class SeenSequence:
    """A list or tuple given as an argument."""

    items: tuple[Seen, ...]


@dataclass(frozen=True, kw_only=True)
class SeenObject:
    """An argument that is none of the above, which no harness can make: its type, and nothing else."""

    type: str


Seen = SeenTensor | SeenDtype | SeenSequence | SeenObject | Binding | None


@dataclass(frozen=True, kw_only=True)
class Call:
    """One way in which a launcher was called, `count` times, with every parameter by name.

    `launcher` is `path::qualname` in the tree; `source` names the capture or the test, with its parameters.
    """

    launcher: str
    arguments: dict[str, Seen]
    count: int
    origin: Origin
    source: str
