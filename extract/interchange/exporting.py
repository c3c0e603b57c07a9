"""Writes a harness into a FlashInfer Trace folder."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from extract.interchange.definition import definition_of
from extract.interchange.outputs import Outputs, outputs_of
from extract.interchange.solution import solution_of
from extract.interchange.variants import Variant, inputs_of, variants_of
from kmaint.errors import UsageError
from kmaint.expression import evaluate
from kmaint.folder import write_text
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument, Json


def export_trace(harness: Harness, into: Path, *, python: str = sys.executable) -> list[Path]:
    """Write the harness into a FlashInfer Trace folder (made where there is none); the files written.

    UsageError where it has no workloads, a dtype that the schema lacks, or does not run on its smallest sizes.
    """
    if not harness.contract.workloads:
        raise UsageError(f"{harness.folder}: no workloads in it", "extract the kernel again with '--calls'")
    written = []
    for variant, outputs, definition in _defined(harness, python):
        kind = str(definition["op_type"])
        for path, content in (
            (f"definitions/{kind}/{variant.name}.json", json.dumps(definition, indent=1) + "\n"),
            (
                f"solutions/{kind}/{variant.name}.json",
                json.dumps(solution_of(harness, variant, outputs), indent=1) + "\n",
            ),
            (f"workloads/{kind}/{variant.name}.jsonl", "".join(_workload_lines(harness, variant, definition))),
        ):
            write_text(into / path, content)
            written.append(into / path)
    return written


def _defined(harness: Harness, python: str) -> list[tuple[Variant, Outputs, dict[str, Json]]]:
    """The definitions with what they cover. Sizes are free only if inputs show all that are: the schema asks so."""
    contract = harness.contract
    given = [one for one in contract.arguments if one.kind == "tensor" and one.values not in ("output", "scratch")]
    plain = {size for argument in given for size in argument.shape}
    for free in ({axis.name for axis in contract.axes if not axis.choices and axis.name in plain}, set[str]()):
        found = []
        for variant in variants_of(harness, free):
            outputs = outputs_of(harness, variant, python)
            found.append((variant, outputs, definition_of(harness, variant, outputs)))
        if all(_is_bound(definition) for _, _, definition in found):
            return found
    raise UsageError(f"{harness.folder}: its outputs' sizes follow from no input", "leave this one out")


def _is_bound(definition: Mapping[str, Json]) -> bool:
    axes, inputs = definition["axes"], definition["inputs"]
    assert isinstance(axes, dict) and isinstance(inputs, dict)
    shown = {name for spec in inputs.values() for name in spec["shape"]}
    return all(name in shown for name, spec in axes.items() if spec["type"] == "var")


def _workload_lines(harness: Harness, variant: Variant, definition: Mapping[str, Json]) -> Iterator[str]:
    axes = definition["axes"]
    assert isinstance(axes, dict)
    sizes = {
        name: size
        for one in inputs_of(harness, variant)
        for name, size in zip(_spec_shape(definition, one), one.shape, strict=True)
    }
    for workload in variant.workloads:
        bound = {
            name: int(evaluate(sizes[name], workload.axes)) for name, spec in axes.items() if spec["type"] == "var"
        }
        inputs = {one.name: {"type": "random"} for one in inputs_of(harness, variant)}
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{variant.name}/{workload.name}")
        case = {"axes": bound, "inputs": inputs, "uuid": str(identity)}
        yield json.dumps({"definition": variant.name, "workload": case, "solution": None, "evaluation": None}) + "\n"


def _spec_shape(definition: Mapping[str, Json], argument: Argument) -> list[str]:
    inputs = definition["inputs"]
    assert isinstance(inputs, dict)
    return [str(name) for name in inputs[argument.name]["shape"]]
