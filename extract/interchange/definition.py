"""Definition files: axes, inputs and outputs, and the framework's own kernel as the reference."""

from __future__ import annotations

from collections.abc import Sequence

from extract.interchange.outputs import Outputs
from extract.interchange.running import run_source, whole_source
from extract.interchange.variants import Variant, dtype_of, inputs_of
from kmaint.errors import UsageError
from kmaint.expression import evaluate
from kmaint.records.harness import Harness
from kmaint.records.workload import Json

DTYPES = frozenset(
    {
        "float32",
        "float16",
        "bfloat16",
        "float8_e4m3fn",
        "float8_e5m2",
        "float4_e2m1",
        "int64",
        "int32",
        "int16",
        "int8",
        "bool",
    }
)
"""What the schema's tensors may hold."""


def definition_of(harness: Harness, variant: Variant, outputs: Outputs) -> dict[str, Json]:
    axes: dict[str, Json] = {}
    constraints = list(harness.contract.constraints)

    def spec(name: str, shape: Sequence[str], dtype: str) -> dict[str, Json]:
        if dtype not in DTYPES:
            raise UsageError(f"{harness.folder}: {name} is of {dtype}, which the schema lacks", "leave this one out")
        return {
            "shape": [_axis(axes, constraints, variant, f"{name}_{i}", s) for i, s in enumerate(shape)],
            "dtype": dtype,
        }

    inputs = {one.name: spec(one.name, one.shape, dtype_of(one, variant)) for one in inputs_of(harness, variant)}
    made = {name: spec(name, shape, dtype) for name, (shape, dtype) in outputs.tensors.items()}
    origin = harness.provenance
    return {
        "name": variant.name,
        "op_type": harness.op.replace(".", "_").lower(),
        "axes": axes,
        "inputs": inputs,
        "outputs": made,
        "reference": whole_source(harness) + "\n\n" + run_source(harness, variant, outputs, "globals()[ENTRY]"),
        "tags": [f"framework:{origin.framework}", f"licence:{origin.licence}", f"origin:{harness.id}", "kmaint"],
        "description": f"{harness.kernel} of {origin.framework} {origin.version or ''}: {origin.path}:{origin.line}",
        "constraints": constraints,
    }


def _axis(axes: dict[str, Json], constraints: list[str], variant: Variant, wanted: str, size: str) -> str:
    """The name of the axis that a size is, made where there is none; sizes of one expression share one."""
    bound = [evaluate(size, workload.axes) for workload in variant.workloads]
    fixed = all(name in variant.fixed for name in _names(size, variant))
    name = size if size.isidentifier() else wanted
    rule = f"{name} == {size}"
    known = next((one.partition(" == ")[0] for one in constraints if one.partition(" == ")[2] == size), None)
    if name == wanted and known is not None and known in axes:
        return known
    axes.setdefault(name, {"type": "const", "value": int(bound[0])} if fixed else {"type": "var"})
    if name != size and not size.isdecimal() and rule not in constraints:
        constraints.append(rule)
    return name


def _names(size: str, variant: Variant) -> set[str]:
    return {name for name in variant.workloads[0].axes if name in size.replace("(", " ").replace(")", " ").split()} | (
        {size} if size.isidentifier() else set()
    )
