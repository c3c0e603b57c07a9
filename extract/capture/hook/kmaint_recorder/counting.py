"""Counts the calls of each watched function or kernel by the way it is called: on the path of every call, so fast."""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from .describing import Sight

TOTAL, BEYOND, FAILED, FIRST = range(4)
"""A watched one's counters: all calls, those of ways past the limit, those not describable, then one for each way."""

TENSOR, PLAIN, FLAG, SEQUENCE, CONSTEXPR, OBJECT, TRACED = range(7)
"""Kinds of argument types; TRACED tensors hold nothing and stand in a call that only a tracer makes."""

KINDS: dict[type, int] = {
    bool: FLAG,
    list: SEQUENCE,
    tuple: SEQUENCE,
    **dict.fromkeys((int, float, str, type(None)), PLAIN),
}

Due = Callable[[], bool]
See = Callable[..., None]


class Traced(Exception):
    """A tensor that holds nothing was among the arguments."""


class Sink:
    """The two files of this process, made when its first call is seen; a forked child makes its own."""

    def __init__(self, folder: str, counters: int) -> None:
        import torch

        stem = os.path.join(folder, f"{os.getpid()}-{os.urandom(4).hex()}")  # noqa: PTH118 - pathlib costs every start
        file = os.open(f"{stem}.counts", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        os.posix_fallocate(file, 0, counters * 8)  # a full disk is an error now, not a SIGBUS later
        self.counts = memoryview(mmap.mmap(file, counters * 8)).cast("Q")
        os.close(file)
        self.lines = os.open(f"{stem}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        device = torch.cuda.get_device_name() if torch.cuda.is_initialized() else None
        self.write({"python": sys.version.split()[0], "torch": torch.__version__, "device": device})

    def write(self, line: dict[str, object]) -> None:
        os.write(self.lines, json.dumps(line).encode() + b"\n")


class NoSink:
    """Where a process counts whose files cannot be made, as when its capture is long over."""

    def __init__(self, counters: int) -> None:
        self.counts = memoryview(bytearray(counters * 8)).cast("Q")

    def write(self, line: dict[str, object]) -> None:
        del line


class Recorder:
    """All that is watched in this process."""

    def __init__(self, instructions: dict[str, Any]) -> None:
        self.folder: str = instructions["folder"]
        self.watched: list[dict[str, Any]] = instructions["watched"]
        self.exact: int = instructions["exact"]
        self.stride: int = instructions["stride"]
        self.settled: int = instructions["settled"]
        self.sparse: int = instructions["sparse"]
        self.limit: int = instructions["ways"]
        self.sampled: int = instructions["sampled"]
        self.values: int = instructions["values"]
        self.kinds = dict(KINDS)
        self.begin_again()

    def begin_again(self) -> None:
        """Also in a forked child: its calls are its own, and so are its files."""
        self.ways: list[dict[tuple[object, ...], int]] = [{} for _ in self.watched]
        self.counts: Any = ()
        self.sink: Sink | NoSink | None = None
        self.lock = threading.RLock()

    def open(self) -> Any:
        """The counters of this process, with its files."""
        with self.lock:
            if self.sink is None:
                counters = len(self.watched) * (self.limit + FIRST)
                try:
                    self.sink = Sink(self.folder, counters)
                except OSError:
                    self.sink = NoSink(counters)
                self.counts = self.sink.counts
            return self.counts

    def watch(self, index: int, named: Callable[..., dict[str, object]]) -> tuple[Due, See]:
        """For watched `index`: what counts a call and says whether to describe it, and what then does.

        `named` turns the values given to the second into arguments by name, when their way is new. The loads and stores
        of one counter stand so that no other thread runs between them: CPython switches at calls and jumps back only.
        """
        first = index * (self.limit + FIRST)
        total, exact, stride, settled, sparse = first + TOTAL, self.exact, self.stride, self.settled, self.sparse

        def due() -> bool:
            counts = self.counts or self.open()
            calls = counts[total] + 1
            counts[total] = calls
            return not calls % sparse if calls > settled else calls <= exact or not calls % stride

        def see(*values: object) -> None:
            calls = self.counts[total]
            weight = sparse if calls > settled else stride if calls > exact else 1
            try:
                key = self.key(values)
                counter = self.ways[index].get(key)
                if counter is None:
                    counter = self.first_sight(index, key, lambda: named(*values))
                self.counts[counter] += weight
            except Traced:
                self.counts[total] -= 1
            except Exception:  # noqa: BLE001 - whatever goes wrong here is none of the program's business
                self.counts[first + FAILED] += weight

        return due, see

    def key(self, values: Iterable[object]) -> tuple[object, ...]:
        """Equal for equal shapes, dtypes, strides, alignments, plain values and numbers of shared addresses."""
        kinds, key = self.kinds, list[object]()
        addresses: list[int] = []
        append = key.append
        for value in values:
            kind = kinds.get(type(value))
            if kind is None:
                kind = self.kind(value)
            if kind == TENSOR:
                address = value.data_ptr()  # type: ignore[attr-defined]
                addresses.append(address)
                append((value.dtype, value.shape, value.stride(), address & 15))  # type: ignore[attr-defined]
            elif kind == PLAIN:
                append(value)
            elif kind == FLAG:
                append(str(value))
            elif kind == OBJECT:
                append(type(value))
            elif kind == SEQUENCE:
                append(self.key(value))  # type: ignore[arg-type]
            elif kind == CONSTEXPR:
                append(self.key((value.value,)))  # type: ignore[attr-defined]
            else:
                raise Traced
        append(len(addresses) - len(set(addresses)))
        return tuple(key)

    def kind(self, value: object) -> int:
        """The kind of a value's type, worked out once for each type."""
        import torch

        cls = type(value)
        if isinstance(value, torch.Tensor):
            found = TRACED if cls.__name__ in ("FakeTensor", "FunctionalTensor") else TENSOR
        elif isinstance(value, torch.dtype):
            found = PLAIN
        elif isinstance(value, (list, tuple)):
            found = SEQUENCE
        else:
            found = CONSTEXPR if cls.__name__ == "constexpr" and hasattr(value, "value") else OBJECT
        self.kinds[cls] = found
        return found

    def first_sight(self, index: int, key: tuple[object, ...], named: Callable[[], dict[str, object]]) -> int:
        """The counter of a new way, which is described first; past the limit that of all such."""
        ways, first = self.ways[index], index * (self.limit + FIRST)
        if len(ways) >= self.limit:
            return first + BEYOND
        with self.lock:
            if key in ways:  # another thread was faster
                return ways[key]
            sight = Sight(self.values if len(ways) < self.sampled else 0)
            described = {name: sight.describe(value) for name, value in named().items()}
            counter = first + FIRST + len(ways)
            assert self.sink is not None
            self.sink.write({"watched": index, "counter": counter, "graph": sight.capturing, "arguments": described})
            ways[key] = counter
            return counter
