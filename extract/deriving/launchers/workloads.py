"""The last step of a derivation: axes with ranges, and workloads at the sizes of models that are served."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from extract.deriving.classes import class_of
from extract.deriving.launchers.guess import Guess, evaluated, shapes_of
from extract.models import MODELS, Model
from kmaint.expression import ITEM_BYTES
from kmaint.records.workload import Axis, Binding, Contract, Workload

TOKENS = (64, 1024, 4096)
MOST_BYTES = 4 << 30
DENSE = ("Llama 3 8B", "Qwen3 8B")
SPARSE = ("Qwen3 30B-A3B", "DeepSeek V3")


def finished(guess: Guess, trials: tuple[dict[str, Any], ...], dtypes: tuple[str, ...], *, gated: bool) -> Contract:
    """The guess as a contract: counts of rows vary freely, every other axis takes the sizes that were tried.

    `gated` says that an even width holds a gate and a value side by side, each of the intermediate size.
    """
    drafted = guess.contract()
    axes = [_axis(name, guess) for name in guess.axes()]
    if dtypes:
        axes.append(Axis(name="DT", choices=dtypes))
    timed = tuple(_workloads(guess, dtypes, gated))
    workloads = (*timed, _tried(guess, dtypes, weight=0.0 if timed else 1.0))
    return Contract(
        axes=tuple(axes),
        arguments=drafted.arguments,
        constraints=guess.constraints,
        traffic=traffic(guess, trials),
        workloads=workloads,
    )


def _tried(guess: Guess, dtypes: tuple[str, ...], *, weight: float) -> Workload:
    """The small case that the contract was found on: an example for the suite, which no model's sizes are."""
    bound = {**guess.bindings(0), **({"DT": guess.dtype} if dtypes else {})}
    return Workload(name="tried", axes=bound, weight=weight, origin="derived", source="sizes on which it was tried")


def _axis(name: str, guess: Guess) -> Axis:
    if class_of(name) == "tokens":
        return Axis(name=name, low=1, high=64)
    tried = {int(guess.bindings(which)[name]) for which in (0, 1)}
    return Axis(name=name, choices=tuple(sorted(tried)))


def _workloads(guess: Guess, dtypes: tuple[str, ...], gated: bool) -> Iterator[Workload]:
    """Two models by three token counts; what breaks a constraint or does not fit is left out."""
    axes = guess.axes()
    sparse = any(class_of(axis) in ("experts", "topk") for axis in axes)
    counted = [axis for axis in axes if class_of(axis) == "tokens"]
    seen: set[tuple[tuple[str, Binding], ...]] = set()
    for model in MODELS:
        if model.name not in (SPARSE if sparse else DENSE):
            continue
        for tokens in TOKENS if counted else TOKENS[:1]:
            bound: dict[str, Binding] = {axis: _of_model(axis, model, tokens) for axis in axes}
            for axis in axes:
                if gated and class_of(axis) == "width" and any(axis in held for held in guess.constraints):
                    bound[axis] = 2 * ((sparse and model.expert_intermediate) or model.intermediate)
            for extra in counted[1:]:
                bound[extra] = min(tokens, 64) if "batch" in extra else tokens
            if dtypes:
                bound["DT"] = dtypes[0]
            key = tuple(sorted(bound.items(), key=lambda item: item[0]))
            if key in seen or not _possible(guess, bound):
                continue
            seen.add(key)
            name = "-".join(f"{axis}{bound[axis]}" for axis in axes) or "only"
            source = f"{model.name}: sizes by the names of the axes, {tokens} tokens"
            yield Workload(name=name, axes=bound, weight=1.0, origin="derived", source=source)


def _of_model(axis: str, model: Model, tokens: int) -> int:
    match class_of(axis):
        case "tokens":
            return tokens
        case "heads":
            return model.kv_heads if "kv" in axis or "kh" in axis or axis.startswith("k_") else model.heads
        case "head_dim":
            return model.head_dim // 2 if "rope" in axis or "rotary" in axis else model.head_dim
        case "experts":
            return model.experts or 1
        case "topk":
            return model.topk or 1
        case "group":
            return 128 if "group" in axis else 16
        case "slots":
            return 2 * tokens + 17
        case _:
            inner = model.expert_intermediate or model.intermediate
            return inner if "inter" in axis or axis in ("n", "ffn_dim") else model.hidden


def _possible(guess: Guess, bound: dict[str, Binding]) -> bool:
    if not all(_holds(constraint, bound) for constraint in guess.constraints):
        return False
    total = 0
    for name, shape in guess.shapes.items():
        size = ITEM_BYTES.get(str(bound.get(guess.dtypes[name], guess.dtypes[name])), 2)
        total += size * math.prod(evaluated(expression, bound) for expression in shape)
    return total <= MOST_BYTES


def _holds(constraint: str, bound: dict[str, Binding]) -> bool:
    return bool(evaluated(constraint, bound))


def traffic(guess: Guess, trials: tuple[dict[str, Any], ...]) -> str:
    """Bytes of all tensors, each read or written once; empty where an index chooses what is touched."""
    if any(kind in ("index", "permutation", "slots") for kind, _ in guess.values.values()):
        return ""
    first = trials[0]
    parts = []
    for name, shape in guess.shapes.items():
        times = (name in first["loaded"]) + (name in first["stored"])
        if times:
            parts.append(_bytes(times, shape, guess.dtypes[name]))
    for position, (number, dtype) in enumerate(first["returned"]):
        wanted = (number, trials[1]["returned"][position][0])
        returned = _returned_shape(guess, wanted)
        if returned is None:
            return ""
        named = dtype.removeprefix("torch.")
        parts.append(_bytes(1, returned, "DT" if named == "float32" and "DT" in guess.dtypes.values() else named))
    return " + ".join(parts)


def _bytes(times: int, shape: tuple[str, ...], dtype: str) -> str:
    size = "itemsize(DT)" if dtype == "DT" else str(ITEM_BYTES.get(dtype, 1))
    return "*".join([str(times * 1)] * (times > 1) + [f"({expression})" for expression in shape] + [size])


def _returned_shape(guess: Guess, wanted: tuple[int, int]) -> tuple[str, ...] | None:
    probe = guess.but(shapes={**guess.shapes, "": ("1",)}, free=guess.free | {""})
    return next(shapes_of(probe, "", wanted), None)
