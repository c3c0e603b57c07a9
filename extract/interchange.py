"""Harnesses to FlashInfer Trace and back: Definition, Solution and Workload files as `flashinfer-bench` reads them.

A Definition fixes dtypes, flags and chosen sizes, so a harness gives one for each such choice of its workloads; sizes
that vary freely stay variable. What that schema has no place for (regions, provenance, layouts, weights) is not lost:
every file of the harness is a source of the Solution, under the harness's own name.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from extract.calls.relations import related
from extract.slicer import _with_shims
from kmaint.child import clean_environment, run_child
from kmaint.errors import UsageError
from kmaint.expression import evaluate
from kmaint.folder import KERNEL, MANIFEST, SHIMS, read_harness, write_text
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument, Binding, Json, Workload

CALL_LIMIT_S = 300.0
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

Axes = Mapping[str, Binding]


@dataclass(frozen=True, kw_only=True)
class _Variant:
    """The workloads that one Definition covers: `fixed` axes have one value in all of them."""

    name: str
    fixed: dict[str, Binding]
    workloads: tuple[Workload, ...]


@dataclass(frozen=True, kw_only=True)
class _Outputs:
    """What a call gives: shapes (expressions over free axes, or numbers) and dtypes by name, and arguments changed."""

    tensors: dict[str, tuple[tuple[str, ...], str]]
    changed: tuple[str, ...]
    returned: int


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
                json.dumps(_solution(harness, variant, outputs), indent=1) + "\n",
            ),
            (f"workloads/{kind}/{variant.name}.jsonl", "".join(_workload_lines(harness, variant, definition))),
        ):
            write_text(into / path, content)
            written.append(into / path)
    return written


def import_trace(source: Path, into: Path) -> list[Harness]:
    """The harnesses that a FlashInfer Trace folder, or one Solution file of it, holds, written under `into`.

    UsageError where it holds none, or where a harness of that name is there already.
    """
    paths = [source] if source.is_file() else sorted((source / "solutions").rglob("*.json"))
    found: dict[str, dict[str, str]] = {}
    for path in paths:
        files = _sources(path)
        for name in (place.parts[0] for place in files if place.name == MANIFEST and len(place.parts) == 2):
            own = {place.relative_to(name).as_posix(): text for place, text in files.items() if place.parts[0] == name}
            if found.setdefault(name, own) != own:
                raise UsageError(f"{path}: its files of {name} differ from another solution's", "import one file alone")
    if not found:
        raise UsageError(f"{source}: no solution in it holds a harness", "name a folder that 'kmaint export' wrote")
    return [_unpack(into / name, files) for name, files in found.items()]


def _sources(path: Path) -> dict[PurePosixPath, str]:
    try:
        data = json.loads(path.read_text())
        files = {PurePosixPath(one["path"]): str(one["content"]) for one in data["sources"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a Solution: {error}", "name a folder that 'kmaint export' wrote") from error
    if unsafe := next((place for place in files if place.is_absolute() or ".." in place.parts), None):
        raise UsageError(f"{path}: source {unsafe} points outside its folder", "do not import files from there")
    return files


def _unpack(folder: Path, files: Mapping[str, str]) -> Harness:
    if folder.exists():
        raise UsageError(f"{folder}: there already", "give another folder with -o")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        for name, content in files.items():
            write_text(made / name, content)
        read_harness(made)
        shutil.move(made, folder)
    return read_harness(folder)


def _defined(harness: Harness, python: str) -> list[tuple[_Variant, _Outputs, dict[str, Json]]]:
    """The definitions with what they cover. Sizes are free only if inputs show all that are: the schema asks so."""
    contract = harness.contract
    given = [one for one in contract.arguments if one.kind == "tensor" and one.values not in ("output", "scratch")]
    plain = {size for argument in given for size in argument.shape}
    for free in ({axis.name for axis in contract.axes if not axis.choices and axis.name in plain}, set[str]()):
        found = []
        for variant in _variants(harness, free):
            outputs = _outputs(harness, variant, python)
            found.append((variant, outputs, _definition(harness, variant, outputs)))
        if all(_is_bound(definition) for _, _, definition in found):
            return found
    raise UsageError(f"{harness.folder}: its outputs' sizes follow from no input", "leave this one out")


def _is_bound(definition: Mapping[str, Json]) -> bool:
    axes, inputs = definition["axes"], definition["inputs"]
    assert isinstance(axes, dict) and isinstance(inputs, dict)
    shown = {name for spec in inputs.values() for name in spec["shape"]}
    return all(name in shown for name, spec in axes.items() if spec["type"] == "var")


def _variants(harness: Harness, free: set[str]) -> list[_Variant]:
    """Workloads by what a Definition fixes: every axis but the free ones."""
    contract = harness.contract
    grouped: dict[str, list[Workload]] = {}
    for workload in contract.workloads:
        fixed = {name: value for name, value in workload.axes.items() if name not in free}
        grouped.setdefault(json.dumps(fixed, sort_keys=True), []).append(workload)
    varying = [
        name for name in contract.workloads[0].axes if len({str(json.loads(key).get(name)) for key in grouped}) > 1
    ]
    variants = []
    for key, workloads in grouped.items():
        fixed = json.loads(key)
        suffix = "".join(f"_{name}{_word(fixed[name])}" for name in varying)
        variants.append(_Variant(name=f"{harness.folder.name}{suffix}", fixed=fixed, workloads=tuple(workloads)))
    return variants


def _word(value: Binding) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in str(value))


def _outputs(harness: Harness, variant: _Variant, python: str) -> _Outputs:
    """Found by running the harness on three small cases, since a contract does not say what a launcher returns."""
    cases = list(itertools.islice(_small_cases(harness, variant), 3))
    program = Path(__file__).with_name("interchange_program.py")
    asked = json.dumps(cases)
    done = run_child(
        [python, program, harness.entry],
        timeout_s=CALL_LIMIT_S,
        env=clean_environment(),
        cwd=harness.folder,
        stdin=asked,
    )
    answers = json.loads(done.stdout.strip().splitlines()[-1]) if done.code == 0 else []
    failed = [answer["error"] for answer in answers if answer["error"]]
    if failed or not answers or len({len(answer["returned"]) for answer in answers}) != 1:
        last = failed[0] if failed else (done.stderr.strip().splitlines() or ["its calls differ"])[-1]
        raise UsageError(
            f"{harness.folder}: {harness.entry} does not run on small sizes: {last}", "run its suite first"
        )
    changed = tuple(dict.fromkeys(name for answer in answers for name in answer["changed"]))
    arguments = {argument.name: argument for argument in harness.contract.arguments}
    tensors = {
        _free_name(name, arguments): (arguments[name].shape, _dtype(arguments[name], variant)) for name in changed
    }
    fresh = [i for i, alias in enumerate(answers[0]["aliases"]) if not alias]
    for i in fresh:
        shapes = [answer["returned"][i][0] for answer in answers]
        shape = tuple(_size(column, cases) for column in zip(*shapes, strict=True))
        tensors["output" if len(fresh) == 1 else f"output_{i}"] = (shape, answers[0]["returned"][i][1])
    return _Outputs(tensors=tensors, changed=changed, returned=len(fresh))


def _free_name(name: str, arguments: Mapping[str, Argument]) -> str:
    """A changed argument's name as an output: its own where it is nothing but an output."""
    return name if arguments[name].values in ("output", "scratch") else f"{name}_after"


def _size(column: Sequence[int], cases: Sequence[Axes]) -> str:
    free = {
        name: tuple(value if type(value) is int else None for value in (case[name] for case in cases))
        for name in cases[0]
    }
    if len(set(column)) == 1:
        return str(column[0])
    relation = related(tuple(column), free)
    return relation.expression if relation else str(column[0])


def _small_cases(harness: Harness, variant: _Variant) -> Iterator[dict[str, Binding]]:
    """The variant's fixed axes as they are, the free ones from small upwards, as the constraints allow."""
    free = [axis for axis in harness.contract.axes if axis.name not in variant.fixed]
    for step in range(32):
        case = dict(variant.fixed)
        for i, axis in enumerate(free):
            case[axis.name] = max(axis.low, 1) + 2 * step + i
        if all(evaluate(constraint, case) for constraint in harness.contract.constraints):
            yield case


def _dtype(argument: Argument, variant: _Variant) -> str:
    return str(variant.fixed.get(argument.dtype, argument.dtype))


def _inputs(harness: Harness, variant: _Variant) -> list[Argument]:
    """The tensors that a caller gives; what is nothing but an output is made by `run` itself."""
    return [
        argument
        for argument in harness.contract.arguments
        if argument.kind == "tensor"
        and argument.values not in ("output", "scratch")
        and evaluate(argument.when, variant.workloads[0].axes)
    ]


def _definition(harness: Harness, variant: _Variant, outputs: _Outputs) -> dict[str, Json]:
    axes: dict[str, Json] = {}
    constraints = list(harness.contract.constraints)

    def spec(name: str, shape: Sequence[str], dtype: str) -> dict[str, Json]:
        if dtype not in DTYPES:
            raise UsageError(f"{harness.folder}: {name} is of {dtype}, which the schema lacks", "leave this one out")
        return {
            "shape": [_axis(axes, constraints, variant, f"{name}_{i}", s) for i, s in enumerate(shape)],
            "dtype": dtype,
        }

    inputs = {one.name: spec(one.name, one.shape, _dtype(one, variant)) for one in _inputs(harness, variant)}
    made = {name: spec(name, shape, dtype) for name, (shape, dtype) in outputs.tensors.items()}
    origin = harness.provenance
    return {
        "name": variant.name,
        "op_type": harness.op.replace(".", "_").lower(),
        "axes": axes,
        "inputs": inputs,
        "outputs": made,
        "reference": _whole(harness) + "\n\n" + _run(harness, variant, outputs, "globals()[ENTRY]"),
        "tags": [f"framework:{origin.framework}", f"licence:{origin.licence}", f"origin:{harness.id}", "kmaint"],
        "description": f"{harness.kernel} of {origin.framework} {origin.version or ''}: {origin.path}:{origin.line}",
        "constraints": constraints,
    }


def _axis(axes: dict[str, Json], constraints: list[str], variant: _Variant, wanted: str, size: str) -> str:
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


def _names(size: str, variant: _Variant) -> set[str]:
    return {name for name in variant.workloads[0].axes if name in size.replace("(", " ").replace(")", " ").split()} | (
        {size} if size.isidentifier() else set()
    )


def _solution(harness: Harness, variant: _Variant, outputs: _Outputs) -> dict[str, Json]:
    name = harness.folder.name
    sources = [{"path": "main.py", "content": _main(harness, variant, outputs)}]
    for path in sorted(harness.folder.rglob("*")):
        relative = path.relative_to(harness.folder)
        hidden = any(part.startswith((".", "__pycache__")) for part in relative.parts)
        if path.is_file() and not hidden:
            if not (content := path.read_text()):
                raise UsageError(f"{path}: empty, which the schema does not take", "remove the file")
            sources.append({"path": f"{name}/{relative.as_posix()}", "content": content})
    return {
        "name": f"{variant.name}_original",
        "definition": variant.name,
        "author": f"{harness.provenance.framework} contributors, exported by kmaint",
        "spec": {
            "language": "triton",
            "target_hardware": ["cuda"],
            "entry_point": "main.py::run",
            "dependencies": [],
            "destination_passing_style": False,
        },
        "sources": sources,
        "description": f"The framework's own kernel; {name}/ is the harness, for 'kmaint import'.",
    }


def _workload_lines(harness: Harness, variant: _Variant, definition: Mapping[str, Json]) -> Iterator[str]:
    axes = definition["axes"]
    assert isinstance(axes, dict)
    sizes = {
        name: size
        for one in _inputs(harness, variant)
        for name, size in zip(_spec_shape(definition, one), one.shape, strict=True)
    }
    for workload in variant.workloads:
        bound = {
            name: int(evaluate(sizes[name], workload.axes)) for name, spec in axes.items() if spec["type"] == "var"
        }
        inputs = {one.name: {"type": "random"} for one in _inputs(harness, variant)}
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{variant.name}/{workload.name}")
        case = {"axes": bound, "inputs": inputs, "uuid": str(identity)}
        yield json.dumps({"definition": variant.name, "workload": case, "solution": None, "evaluation": None}) + "\n"


def _spec_shape(definition: Mapping[str, Json], argument: Argument) -> list[str]:
    inputs = definition["inputs"]
    assert isinstance(inputs, dict)
    return [str(name) for name in inputs[argument.name]["shape"]]


def _run(harness: Harness, variant: _Variant, outputs: _Outputs, entry: str) -> str:
    """`run`: makes what is only an output, calls the launcher on copies of what it changes, and returns all results."""
    inputs = _inputs(harness, variant)
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
            how = f"dtype=torch.{_dtype(argument, variant)}, device={device}"
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


def _literal(value: Json, variant: _Variant) -> str:
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


def _whole(harness: Harness) -> str:
    """kernel.py as one file, with what it imports from shims standing before it."""
    source = (harness.folder / KERNEL).read_text()
    shims = harness.folder / SHIMS
    if not shims.is_file():
        return source
    return _with_shims(source, shims.read_text())


def _main(harness: Harness, variant: _Variant, outputs: _Outputs) -> str:
    loader = f'''"""Calls the framework's own launcher, from the harness beside this file."""

import importlib
import sys
from pathlib import Path


def _load():
    """The harness's kernel.py; its modules are forgotten again, so that another solution's may have the same names."""
    sys.path.insert(0, str(Path(__file__).parent / {harness.folder.name!r}))
    try:
        return importlib.import_module("kernel")
    finally:
        sys.path.pop(0)
        for name in ("kernel", "shims"):
            sys.modules.pop(name, None)


kernel = _load()
'''
    return loader + _run(harness, variant, outputs, "getattr(kernel, ENTRY)")
