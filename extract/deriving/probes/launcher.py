"""Runs an entry under the Triton interpreter on tensors and says what it touched: used by probes.kernel.

Needs torch, triton and the harness runtime.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from triton.runtime import interpreter

building, outcomes, performing = (
    importlib.import_module(f"runtime.{name}") for name in ("building", "outcomes", "performing")
)

GUARD_BYTES = 1 << 20
"""Red zone of a trial: wide, so that an access past a tensor's end still says whose end it is past."""


NOTHING: dict[str, Any] = {
    "error": "",
    "line": 0,
    "extents": {},
    "outside": {},
    "overrun": False,
    "stored": [],
    "loaded": [],
    "returned": [],
    "outputs": False,
    "digest": "",
    "filled": [],
}
"""What a trial that ended its process has to say."""


class Watch:
    """Stands before the interpreter's memory: notes each access's extent, and lets none outside a tensor through."""

    def __init__(self, buffers: dict[str, Any], fresh: list[Any]) -> None:
        self._memory = interpreter._interpreter  # noqa: SLF001 - Triton gives no public way to observe accesses
        self._buffers, self._fresh = buffers, fresh
        self.extents: dict[str, list[int]] = {}
        self.stored: set[str] = set()
        self.loaded: set[str] = set()
        self.overrun = False
        self._written: dict[str, Any] = {}
        self._early: set[str] = set()
        """Tensors of which something was read before it was written."""

    @property
    def filled(self) -> list[str]:
        """Arguments of which every element was written, and none read before that."""
        return sorted(name for name, mask in self._written.items() if mask.all() and name not in self._early)

    def load(self, pointers: Any, mask: Any, other: Any, dtype: Any) -> Any:
        return self._memory.load(pointers, self._allowed(pointers, mask, False), other, dtype)

    def store(self, pointers: Any, values: Any, mask: Any) -> Any:
        return self._memory.store(pointers, values, self._allowed(pointers, mask, True))

    def atomic_rmw(self, operation: Any, pointers: Any, values: Any, mask: Any, order: Any) -> Any:
        return self._memory.atomic_rmw(operation, pointers, values, self._allowed(pointers, mask, True), order)

    def atomic_cas(self, pointers: Any, compared: Any, values: Any, order: Any) -> Any:
        self._allowed(pointers, np.ones(pointers.shape, dtype=bool), True)
        return self._memory.atomic_cas(pointers, compared, values, order)

    def _allowed(self, pointers: Any, mask: Any, writes: bool) -> Any:
        mask = np.broadcast_to(mask, pointers.shape).astype(bool)  # `a & b` of two masks has come out as int32
        meant = pointers[mask]
        if not meant.size:
            return mask
        low, high = int(meant.min()), int(meant.max())
        for buffer in [*self._buffers.values(), *self._fresh]:
            base = buffer.raw.data_ptr()
            end = base + buffer.raw.numel()
            if high < base or low >= end:
                continue
            if base <= low and high < end:  # the one that all of them mean
                mask[mask] = self._noted(buffer, meant, writes)
                break
            mine = mask & (pointers >= base) & (pointers < end)
            if mine.any():
                mask[mine] = self._noted(buffer, pointers[mine], writes)
        return mask

    def _noted(self, buffer: Any, pointers: Any, writes: bool) -> Any:
        """Which of the pointers are inside the tensor that they mean, after all of them are written down."""
        size = buffer.view.element_size()
        offsets = (pointers.astype(np.int64) - buffer.raw.data_ptr() - buffer.start) // size
        low, high = int(offsets.min()), int(offsets.max())
        inside = (offsets >= 0) & (offsets < buffer.view.numel())
        if buffer.name not in self._buffers:
            self.overrun |= not bool(inside.all())
            return inside
        known = self.extents.setdefault(buffer.name, [low, high])
        self.extents[buffer.name] = [min(known[0], low), max(known[1], high)]
        (self.stored if writes else self.loaded).add(buffer.name)
        self._mark(buffer, offsets[inside], writes)
        return inside

    def _mark(self, buffer: Any, offsets: Any, writes: bool) -> None:
        """Remember which elements have been written; gaps of a strided view count as elements never written."""
        known = self._written.setdefault(buffer.name, np.zeros(buffer.view.numel(), dtype=bool))
        if writes:
            known[offsets] = True
        elif not known[offsets].all():
            self._early.add(buffer.name)


def trial(entry: Callable[..., Any], contract: Any, case: Any) -> dict[str, Any]:
    """What one call did: its error with the line of kernel.py, extents in elements, what was written, and a digest."""
    setattr(building, "GUARD", GUARD_BYTES)  # noqa: B010 - a module that only the child can name
    call = building.build(contract, case, "cpu")
    allocations = performing.Allocations()
    watch, memory = Watch(call.buffers, allocations.buffers), interpreter._interpreter  # noqa: SLF001
    interpreter._interpreter = watch  # noqa: SLF001
    error, line, returned = "", 0, None
    try:
        with allocations:
            returned = entry(**call.arguments)
    except BaseException as raised:  # noqa: BLE001 - anything that somebody's code raises is the trial's result
        error, line = described(raised)
    finally:
        interpreter._interpreter = memory  # noqa: SLF001
    leaves = list(outcomes.returned_leaves("return", returned, call))
    written = [call.buffers[name].view for name in sorted(watch.stored)]
    seen = hashlib.sha256()
    for tensor in [outcomes.tensor_of(leaf) for leaf in leaves if leaf.kind == "tensor"] + written:
        seen.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    outside = {
        name: extent
        for name, extent in watch.extents.items()
        if extent[0] < 0 or extent[1] >= call.buffers[name].view.numel()
    }
    return {
        "error": error,
        "line": line,
        "extents": watch.extents,
        "outside": outside,
        "overrun": watch.overrun,
        "stored": sorted(watch.stored),
        "loaded": sorted(watch.loaded),
        "returned": [
            [math.prod(leaf.shape), leaf.dtype] for leaf in leaves if leaf.kind == "tensor" and not leaf.alias
        ],
        "outputs": bool(leaves and any(leaf.kind == "tensor" for leaf in leaves)) or bool(watch.stored),
        "digest": seen.hexdigest(),
        "filled": watch.filled,
    }


def described(raised: BaseException) -> tuple[str, int]:
    """The innermost error in one line, and the innermost line of kernel.py: the interpreter wraps what it runs."""
    chain = [raised]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    lines = (
        frame.lineno or 0
        for one in reversed(chain)
        for frame in reversed(traceback.extract_tb(one.__traceback__))
        if frame.filename.endswith("kernel.py")
    )
    text = (str(chain[-1]).splitlines() or [""])[0]
    return f"{type(chain[-1]).__name__}: {text}", next(lines, 0)
