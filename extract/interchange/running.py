"""The text of `run`, by which flashinfer-bench calls a harness's entry."""

from __future__ import annotations

from collections.abc import Sequence

from extract.interchange.outputs import Outputs
from extract.interchange.variants import Variant, dtype_of, inputs_of
from extract.slicing.render import with_shims
from kmaint.expression import evaluate
from kmaint.folder import KERNEL, SHIMS
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument, Json


def run_source(harness: Harness, variant: Variant, outputs: Outputs, entry: str) -> str:
    """`run`: makes what is only an output, calls the launcher on copies of what it changes, and returns all results."""
    inputs = inputs_of(harness, variant)
    lines = [
        f"ENTRY = {harness.entry!r}",
        "",
        "",
        f"def run({', '.join(one.name for one in inputs)}):",
        "    import torch",
        "",
    ]
    lines += [f"    {name} = {given}.shape[{i}]" for name, (given, i) in _sizes(harness, inputs).items()]
    device = f"{inputs[0].name}.device" if inputs else "'cuda'"
    lines += [f"    {name} = {value!r}" for name, value in variant.fixed.items()]
    passed = []
    for argument in harness.contract.arguments:
        if not evaluate(argument.when, variant.workloads[0].axes):
            lines.append(f"    {argument.name} = None")
        elif argument.kind == "value":
            lines.append(f"    {argument.name} = {_literal(argument.value, variant)}")
        elif argument not in inputs:
            sizes = "".join(f"{_python(size)}, " for size in argument.shape)
            how = f"dtype=torch.{dtype_of(argument, variant)}, device={device}"
            lines.append(f"    {argument.name} = torch.empty(({sizes}), {how})")
        elif argument.name in outputs.changed:
            lines.append(f"    {argument.name} = {argument.name}.clone()")
        passed.append(f"{argument.name}={argument.name}")
    lines.append(f"    returned = {entry}({', '.join(passed)})")
    results = ", ".join([*outputs.changed, *(["*fresh"] if outputs.returned else [])])
    if outputs.returned:
        already = "".join(f"{name}, " for name in outputs.changed)
        lines.append("    returned = returned if isinstance(returned, (tuple, list)) else (returned,)")
        lines.append(f"    given = [one.data_ptr() for one in ({already})]")
        lines.append("    fresh = [one for one in returned if torch.is_tensor(one) and one.data_ptr() not in given]")
    single = len(outputs.tensors) == 1
    lines.append(f"    return ({results},)[0]" if single else f"    return ({results},)")
    return "\n".join(lines) + "\n"


def _sizes(harness: Harness, inputs: Sequence[Argument]) -> dict[str, tuple[str, int]]:
    """Where `run` reads each axis that is an input's size."""
    names = {axis.name for axis in harness.contract.axes}
    found: dict[str, tuple[str, int]] = {}
    for argument in inputs:
        for i, size in enumerate(argument.shape):
            if size in names:
                found.setdefault(size, (argument.name, i))
    return found


def _python(expression: str) -> str:
    """A contract's expression as plain Python."""
    for name, plain in (
        ("cdiv", "(lambda a, b: -(-a // b))"),
        ("next_power_of_2", "(lambda n: 1 << max(0, n - 1).bit_length())"),
        ("sqrt", "(lambda n: n**0.5)"),
    ):
        expression = expression.replace(f"{name}(", f"{plain}(")
    return expression


def _literal(value: Json, variant: Variant) -> str:
    match value:
        case str() if value.startswith("="):
            return _python(value[1:])
        case {"dtype": str(name)}:
            return f"torch.{variant.fixed.get(name, name)}"
        case {"tuple": [*items]}:
            return f"({''.join(_literal(item, variant) + ', ' for item in items)})"
        case [*items]:
            return f"[{', '.join(_literal(item, variant) for item in items)}]"
        case _:
            return repr(value)


def whole_source(harness: Harness) -> str:
    """kernel.py as one file, with what it imports from shims standing before it."""
    source = (harness.folder / KERNEL).read_text()
    shims = harness.folder / SHIMS
    if not shims.is_file():
        return source
    return with_shims(source, shims.read_text())
