"""Runs one kernel's launcher under the Triton interpreter and says what it touched: a child of extract.derive.

Reads {"folder", "entry"} and then one trial a line from standard input; answers each with a JSON line. Each trial runs
in a fork of its own, so that a crash or a hang costs that trial only. Needs torch, triton and the harness runtime.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import math
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from triton.runtime import interpreter

cases = importlib.import_module("runtime.cases")
subject = importlib.import_module("runtime.subject")

TRIAL_LIMIT_S = 8
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
        mask = np.broadcast_to(mask, pointers.shape).copy()
        for buffer in [*self._buffers.values(), *self._fresh]:
            base = buffer.raw.data_ptr()
            mine = mask & (pointers >= base) & (pointers < base + buffer.raw.numel())
            if not mine.any():
                continue
            size = buffer.view.element_size()
            offsets = (pointers[mine].astype(np.int64) - base - buffer.start) // size
            low, high = int(offsets.min()), int(offsets.max())
            inside = (offsets >= 0) & (offsets < buffer.view.numel())
            self.overrun |= buffer in self._fresh and not bool(inside.all())
            if buffer.name in self._buffers:
                known = self.extents.setdefault(buffer.name, [low, high])
                self.extents[buffer.name] = [min(known[0], low), max(known[1], high)]
                (self.stored if writes else self.loaded).add(buffer.name)
            mask[mine] = inside
        return mask


def trial(entry: Callable[..., Any], contract: Any, case: Any) -> dict[str, Any]:
    """What one call did: its error with the line of kernel.py, extents in elements, what was written, and a digest."""
    setattr(cases, "GUARD", GUARD_BYTES)  # noqa: B010 - a module that only the child can name
    call = cases.build(contract, case, "cpu")
    allocations = cases.Allocations()
    watch = Watch(call.buffers, allocations.buffers)
    interpreter._interpreter = watch  # noqa: SLF001
    error, line, returned = "", 0, None
    try:
        with allocations:
            returned = entry(**call.arguments)
    except BaseException as raised:  # noqa: BLE001 - anything that somebody's code raises is the trial's result
        error = f"{type(raised).__name__}: {(str(raised).splitlines() or [''])[0]}"
        frames = [frame for frame in traceback.extract_tb(raised.__traceback__) if frame.filename.endswith("kernel.py")]
        line = frames[-1].lineno or 0 if frames else 0
    leaves = list(cases._returned_leaves("return", returned, call))  # noqa: SLF001
    written = [call.buffers[name].view for name in sorted(watch.stored)]
    seen = hashlib.sha256()
    for tensor in [cases.tensor_of(leaf) for leaf in leaves if leaf.kind == "tensor"] + written:
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
    }


def in_fork(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of the work, done in a fork that ends with it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(TRIAL_LIMIT_S)
        with os.fdopen(writer, "w") as stream:
            stream.write(json.dumps(work()))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        answer = stream.read()
    _, status = os.waitpid(child, 0)
    if not answer:
        return {**NOTHING, "error": f"ended with status {status}"}
    return dict(json.loads(answer))


def main() -> None:
    """Serve trials until standard input ends."""
    torch.set_num_threads(1)
    torch.cuda.device = lambda _device: contextlib.nullcontext()  # launchers enter it; here there is no device
    torch.cuda.get_device_capability = lambda _device=None: (9, 0)
    setup = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    entry = getattr(subject.load(Path(setup["folder"]) / "kernel.py", "kernel"), setup["entry"])
    with cases.Allocations():  # its first use imports for 1.6 s, which no fork should have to
        torch.empty(1)
    answers.write("{}\n")
    for line in sys.stdin:
        request = json.loads(line)
        spec = request["contract"]
        axes = {axis["name"]: axis for axis in spec["axes"]}
        contract = cases.Contract(axes, spec["arguments"], [], "", "", [])
        case = cases.Case(**request["case"])
        answers.write(json.dumps(in_fork(lambda: trial(entry, contract, case))) + "\n")  # noqa: B023 - called at once


if __name__ == "__main__":
    main()
