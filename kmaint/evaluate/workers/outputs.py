"""What timed calls left behind: brought out as raw bytes for a judge elsewhere, or compared here to rank variants.

Where variants are only ranked it is compared on the device: a vocabulary's worth of logits takes seconds on the host.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from .calls import building, judge, outcomes, synchronize
from .replay import EagerLeg, Inputs, Leg

CHECKED = 3
"""Calls of a replay whose outputs are compared with the original's in this process, where variants are only ranked."""
ROUGHLY = 2.0**-6
"""Of a row's scale: how far a variant that is worth a place in the gate may be from the original."""
PLAINLY = 0.5
"""Of a row's scale: so far off most elements of a row are of no rounding. A few may be: a threshold that one rounding
moves turns a number into -inf, and one more takes the largest of float16 to inf."""
LEAST_ROW = 16
"""Numbers of a row of which most say something."""
BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Whole numbers of as many bytes as an element has: NaN is not equal to itself."""
JUDGED = 2
"""Calls of each of a candidate's legs whose outputs are judged elsewhere; a tenth of them, where that is more."""
JUDGED_BYTES = 16 << 20
"""Beyond this much no more calls than that, and of each only what it gives back or is meant to write."""


def poison(leg: Leg, inputs: Inputs) -> None:
    """Overwrite every output that is not also an argument as torch does fresh memory where all must be deterministic.

    A replay that writes nothing leaves it so, and what the original never writes is alike in a process of its own.
    """
    for returned, call in zip(leg.returned, itertools.cycle(inputs.calls), strict=False):
        for tensor in tensors(returned):
            if not any(_overlaps(buffer.raw, tensor) for buffer in call.buffers.values()) and tensor.is_contiguous():
                _unwrite(tensor)


def _unwrite(tensor: torch.Tensor) -> None:
    if tensor.dtype == torch.bool:
        tensor.fill_(True)
    elif not tensor.is_floating_point() and not tensor.is_complex():
        tensor.fill_(torch.iinfo(tensor.dtype).max)
    elif tensor.element_size() == 1:
        tensor.view(torch.uint8).fill_(0x7F)  # NaN in both kinds of fp8
    else:
        tensor.fill_(math.nan)


def tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [found for item in value for found in tensors(item)] if isinstance(value, (list, tuple)) else []


def _overlaps(raw: torch.Tensor, tensor: torch.Tensor) -> bool:
    return bool(tensor.numel()) and raw.data_ptr() <= tensor.data_ptr() < raw.data_ptr() + raw.numel()


def run_over_poison(leg: Leg, inputs: Inputs) -> None:
    """Once over restored inputs, with nothing of an earlier run left where outputs go."""
    inputs.restore()
    poison(leg, inputs)
    with filled() if isinstance(leg, EagerLeg) else contextlib.nullcontext():
        leg.run()
    synchronize(inputs.device)


@contextlib.contextmanager
def filled() -> Iterator[None]:
    """Torch fills what it allocates, as a call of the harness's own runtime has it."""
    before = torch.are_deterministic_algorithms_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)


Left = list[list[torch.Tensor]]
"""Of a few calls, all that each gave back or changed."""


def left_behind(leg: Leg, inputs: Inputs) -> Left:
    """After such a run, as copies where they lay."""
    run_over_poison(leg, inputs)
    compared = [spec["name"] for spec in inputs.contract.arguments if spec["values"] != "scratch"]
    picked = range(0, len(inputs.calls), max(1, len(inputs.calls) // CHECKED))
    return [
        [t.detach().clone() for t in tensors(leg.returned[n])]
        + [found.view.detach().clone() for name, found in inputs.calls[n].buffers.items() if name in compared]
        for n in picked
    ]


def sampled(leg: Leg, inputs: Inputs, draw: random.Random) -> list[tuple[int, Any]]:
    """After such a run: of a random share of its calls, which argument set each took and all that it left."""
    run_over_poison(leg, inputs)
    sets, made = len(inputs.calls), len(leg.returned)
    one = sum(buffer.raw.numel() for buffer in inputs.calls[0].buffers.values())
    one += sum(tensor.numel() * tensor.element_size() for tensor in tensors(leg.returned[0]))
    share = max(JUDGED, min(made // 10, JUDGED_BYTES // max(1, one)))
    whole = share * one <= JUDGED_BYTES
    return [(n % sets, _outcome(leg, inputs, n, whole=whole)) for n in draw.sample(range(made), min(made, share))]


def _outcome(leg: Leg, inputs: Inputs, n: int, *, whole: bool) -> Any:
    call = inputs.calls[n % len(inputs.calls)]
    kept = call.buffers if whole else inputs.pristine[n % len(inputs.calls)]
    left = building.Call(call.arguments, {name: call.buffers[name] for name in kept})
    # Whether an argument was written is for the original to say: here each is compared with itself.
    given = {name: buffer.raw for name, buffer in left.buffers.items()}
    returned = outcomes.returned_leaves("return", leg.returned[n], call)
    return outcomes.Outcome([*returned, *outcomes.argument_leaves(inputs.contract, left, given)])


@dataclass(frozen=True)
class Disagreement:
    """How timed calls differ from the original's; empty where they agree. `plainly` where no rounding explains it."""

    text: str = ""
    plainly: bool = False


def disagreement(expected: Left, got: Left) -> Disagreement:
    """Of what two legs left behind. For ranking, and for what needs no judge: a candidate can only accuse itself."""
    for n, (wanted, given) in enumerate(zip(expected, got, strict=True)):
        if [(t.dtype, t.shape) for t in wanted] != [(t.dtype, t.shape) for t in given]:
            return Disagreement(f"timed call {n}: gives back other shapes or types than the original")
        for want, have in zip(wanted, given, strict=True):
            off = distance(want, have)
            tolerance = judge.TOLERANCES.get(want.dtype)
            if not off <= max(ROUGHLY, tolerance.relative if tolerance else 0.0):
                text = f"timed call {n}: its output is not the original's"
                return Disagreement(text, plainly=plainly_other(want, have))
    return Disagreement()


def distance(want: torch.Tensor, got: torch.Tensor) -> float:
    """The largest, in scales of its row; infinite where whole numbers differ, or NaN stands for a number."""
    if not want.is_floating_point():
        return 0.0 if torch.equal(want, got) else math.inf
    bits = BITS[want.element_size()]
    if torch.equal(want.view(bits), got.view(bits)):  # mostly, and then the driver need load none of what follows
        return 0.0
    error: float = judge.error_against(want.double(), got)
    return error


def plainly_other(want: torch.Tensor, got: torch.Tensor) -> bool:
    """Whether most numbers of any row are others. Whole numbers may be permuted, or rounded the other way."""
    if not want.is_floating_point() or not want.dim():
        return False
    truth = want.double()
    others, numbers = judge.beyond(truth, got, PLAINLY).sum(dim=-1), truth.isfinite().sum(dim=-1)
    return bool(((2 * others > numbers) & (numbers >= LEAST_ROW)).any())
