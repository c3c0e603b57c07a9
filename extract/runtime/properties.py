"""What the properties of a suite compare: each function gives the ways in which a call breaks one of them.

Copied unchanged into every harness.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import torch

from .building import Call, build
from .cases import Case
from .judge import (
    WORSE,
    Difference,
    beyond,
    damaged,
    differences,
    error_against,
)
from .outcomes import Leaf, Outcome, tensor_of
from .suite import Pair
from .tolerances import INTERPRETER_CANNOT_JUDGE, TOLERANCES
from .truth import Truth, kept, moved, undecided


def recoded(code: str, found: Iterable[Difference]) -> list[Difference]:
    """The same differences under the code of what the test at hand has changed; damage keeps its own."""
    return [d if d.code == "wrote_outside" else Difference(code, d.text) for d in found]


def broken(outcome: Outcome) -> list[Difference]:
    """What no call on a workload may do: fail, write outside its tensors, or neither write nor return anything."""
    found = [Difference("mismatch", outcome.error)] if outcome.error else []
    found += [Difference("wrote_outside", outcome.overrun)] if outcome.overrun else []
    for leaf in outcome.leaves:
        if damage := damaged(leaf):
            found.append(Difference("wrote_outside", f"{leaf.path}: {damage} bytes around it were overwritten"))
    if not found and not any(leaf.written or not leaf.path.startswith("argument") for leaf in outcome.leaves):
        found.append(Difference("mismatch", "it writes nothing and returns nothing"))
    return found


def untouched(pair: Pair, case: Case, expected: Outcome, actual: Outcome) -> list[Difference]:
    """Arguments that the original leaves alone and the tested call does not, compared with freshly built ones."""
    fresh = build(pair.contract, case, pair.device).buffers
    found = [Difference("wrote_outside", actual.overrun)] if actual.overrun else []
    for left, right in zip(expected.leaves, actual.leaves, strict=False):
        if not right.path.startswith("argument"):
            continue
        if damaged(right):
            found.append(
                Difference("wrote_outside", f"{right.path}: {damaged(right)} bytes around it were overwritten")
            )
        elif (
            left.kind == "tensor"
            and not left.written
            and not torch.equal(right.raw, fresh[right.path.removeprefix("argument ")].raw.cpu())
        ):
            found.append(Difference("mutated_input", f"{right.path} was written; the original leaves it alone"))
    return found


def unwritten(expected: Outcome, actual: Outcome) -> list[Difference]:
    """Outputs with more NaN than the original's: fresh memory is filled with NaN before the call."""
    found = []
    for left, right in zip(expected.leaves, actual.leaves, strict=False):
        if left.kind == right.kind == "tensor" and left.dtype == right.dtype and left.shape == right.shape:
            holes = tensor_of(right).double().isnan() & tensor_of(left).double().isfinite()
            if holes.any():
                text = f"{right.path}: {int(holes.sum())} of {holes.numel()} elements were never written"
                found.append(Difference("uninitialised", text))
    return found


def leading(outcome: Outcome, axis: int, rows: int) -> Outcome:
    """What the call did to its first `rows`: of each tensor that is `axis` long the leading part, nothing of others."""
    long = [leaf for leaf in outcome.leaves if leaf.kind == "tensor" and leaf.shape[:1] == (axis,)]
    return Outcome([_holding(leaf, tensor_of(leaf)[:rows]) for leaf in long], outcome.error)


def rolled_back(straight: Outcome, rolled: Outcome, rows: int, by: int) -> list[Difference]:
    """Results with a row for each of `rows` that differ from those of the call on rolled rows, rolled back."""
    left = leading(straight, rows, rows)
    leaves = [_holding(leaf, tensor_of(leaf).roll(-by, 0)) for leaf in leading(rolled, rows, rows).leaves]
    return differences(left, Outcome(leaves, rolled.error), exact=True)


def _holding(leaf: Leaf, part: torch.Tensor) -> Leaf:
    """The leaf with other contents."""
    # A copy: of one element, contiguous() keeps stride 0, and as bytes it cannot be seen.
    part = part.clone(memory_format=torch.contiguous_format)
    raw = part.view(-1).view(torch.uint8) if part.numel() else torch.empty(0, dtype=torch.uint8)
    return dataclasses.replace(leaf, shape=tuple(part.shape), strides=part.stride(), raw=raw, start=0)


def upcast(call: Call, draw: int = 0) -> dict[str, Any]:
    """The arguments with every floating-point tensor in float64, as reference() takes them, moved by the draw."""
    wide = {
        name: value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for name, value in call.arguments.items()
    }
    return moved(wide, draw)


def wide(outcome: Outcome) -> dict[str, torch.Tensor]:
    """What a call on wider numbers gave, as truth for the same call on those of the contract; nothing if it failed."""
    leaves = [
        leaf for leaf in outcome.leaves if leaf.kind == "tensor" and (leaf.written or leaf.path.startswith("return"))
    ]
    return {leaf.path: tensor_of(leaf).double() for leaf in leaves if "float" in leaf.dtype}


def less_accurate(truth: Truth, expected: Outcome, actual: Outcome, *, interpreted: bool) -> list[Difference]:
    """Outputs further from the float64 truth than WORSE times the original's error plus the tolerance of the type.

    None for outputs on which the original itself does not reach the truth: they say nothing about the tested code. Nor
    do elements that the case itself leaves undecided.
    """
    found, truth = [], kept(truth)
    known_by_path = truth()
    right = {leaf.path: leaf for leaf in actual.leaves}
    for leaf in expected.leaves:
        if leaf.path not in known_by_path or leaf.path not in right or right[leaf.path].shape != leaf.shape:
            continue
        want, got = tensor_of(leaf), tensor_of(right[leaf.path])
        if want.dtype not in TOLERANCES or (interpreted and want.dtype in INTERPRETER_CANNOT_JUDGE):
            continue
        known, tolerance = known_by_path[leaf.path].double().cpu(), TOLERANCES[want.dtype]
        own, other = error_against(known, want), error_against(known, got)
        allowed = WORSE * own + tolerance.absolute
        if own <= tolerance.relative and not other <= allowed:
            left_open = undecided(truth, leaf.path, got, tolerance, beyond(known, got, allowed), rows=False)
            other = error_against(known, torch.where(left_open, known, got.double()).to(got.dtype))
        if own <= tolerance.relative and not other <= allowed:
            text = f"{leaf.path} is off by {other:.3g} of its row's scale; the original by {own:.3g}"
            found.append(Difference("less_accurate", text))
    return found
