"""A harness's workloads by what one Definition of them fixes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kmaint.expression import evaluate, keeps
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument, Binding, Workload

Axes = Mapping[str, Binding]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The workloads that one Definition covers: `fixed` axes have one value in all of them."""

    name: str
    fixed: dict[str, Binding]
    workloads: tuple[Workload, ...]


def variants_of(harness: Harness, free: set[str]) -> list[Variant]:
    """Workloads by what a Definition fixes: every axis but the free ones."""
    contract = harness.contract
    grouped: dict[str, list[Workload]] = {}
    for workload in contract.timed:
        fixed = {name: value for name, value in workload.axes.items() if name not in free}
        grouped.setdefault(json.dumps(fixed, sort_keys=True), []).append(workload)
    varying = [name for name in contract.timed[0].axes if len({str(json.loads(key).get(name)) for key in grouped}) > 1]
    variants = []
    for key, workloads in grouped.items():
        fixed = json.loads(key)
        suffix = "".join(f"_{name}{_word(fixed[name])}" for name in varying)
        variants.append(Variant(name=f"{harness.folder.name}{suffix}", fixed=fixed, workloads=tuple(workloads)))
    return variants


def _word(value: Binding) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in str(value))


def small_cases(harness: Harness, variant: Variant) -> Iterator[dict[str, Binding]]:
    """The variant's fixed axes as they are, the free ones from small upwards, as the constraints allow."""
    free = [axis for axis in harness.contract.axes if axis.name not in variant.fixed]
    for step in range(32):
        case = dict(variant.fixed)
        for i, axis in enumerate(free):
            case[axis.name] = max(axis.low, 1) + 2 * step + i
        if keeps(harness.contract.constraints, case):
            yield case


def dtype_of(argument: Argument, variant: Variant) -> str:
    return str(variant.fixed.get(argument.dtype, argument.dtype))


def inputs_of(harness: Harness, variant: Variant) -> list[Argument]:
    """The tensors that a caller gives; what is nothing but an output is made by `run` itself."""
    return [
        argument
        for argument in harness.contract.arguments
        if argument.kind == "tensor"
        and argument.values not in ("output", "scratch")
        and evaluate(argument.when, variant.workloads[0].axes)
    ]
