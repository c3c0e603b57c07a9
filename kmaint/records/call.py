"""A call of a launcher as it was seen, by a live capture or in a framework's own test or benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kmaint.records.kernel import Release
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


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a capture saw of one launcher, or of a kernel at its own level; `id` is `path::qualname` of either.

    `calls` are all of them. `beyond` were of ways past the capture's limit and `failed` could not be described, so
    neither are among its Calls. `in_graph` are of ways first seen while a CUDA graph was captured: replays of that call
    nothing and are not counted. Where `estimated`, a sample of the calls says how they share out.
    """

    id: str
    level: Literal["launcher", "kernel"]
    calls: int
    distinct: int
    beyond: int = 0
    failed: int = 0
    in_graph: int = 0
    estimated: bool = False


@dataclass(frozen=True, kw_only=True)
class Capture:
    """Everything one capture saw, most called first. `watched` names also what was never called."""

    release: Release
    """Of the tree whose ids it uses."""
    machine: tuple[str, ...]
    """GPU, torch and Python of the processes that called something."""
    processes: int
    watched: tuple[Watched, ...]
    calls: tuple[Call, ...]
