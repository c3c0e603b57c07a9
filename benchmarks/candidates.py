"""Make candidates of mixed quality out of harnesses, each with a label of what it is.

    python benchmarks/candidates.py HARNESSES OUT [--count 100]

OUT/HARNESS/NAME.py are whole kernel.py files; OUT/labels.json says of each what it is: `right` (it may be faster or
slower), `wrong` (a small defect), `broken` (does not build), `crash` (ends its process) or `cheat` (gets its result or
its time by other means than computing it), and `what` in words. Only harnesses whose launcher returns its results are
taken: the defects that are put behind a launcher change what it returns.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kmaint.agent.builtin import variants
from kmaint.agent.transforms.base import Subject
from kmaint.agent.transforms.catalogue import TRANSFORMS
from kmaint.expression import number
from kmaint.folder import KERNEL, read_harness, split_regions
from kmaint.records.harness import Harness

Label = Literal["right", "wrong", "broken", "crash", "cheat"]


@dataclass(frozen=True)
class Labelled:
    """A candidate and what it is."""

    label: Label
    what: str
    source: str


BEHIND: tuple[tuple[Label, str, str], ...] = (
    ("right", "launches its kernel on copies first", "inner(**copies(given))\nreturn inner(**given)"),
    ("right", "copies its results once more", "return again(inner(**given), lambda t: copied(t, given))"),
    ("wrong", "loses the last row", "return again(inner(**given), lambda t: zeroed(t, True))"),
    (
        "wrong",
        "loses the last of an odd number of rows",
        "return again(inner(**given), lambda t: zeroed(t, len(t) % 2))",
    ),
    (
        "wrong",
        "loses the last row of no more than three",
        "return again(inner(**given), lambda t: zeroed(t, len(t) < 4))",
    ),
    ("wrong", "turns NaN into numbers", "return again(inner(**given), without_nan)"),
    (
        "wrong",
        "gives results of another layout",
        "return again(inner(**given), lambda t: t.transpose(0, -1).contiguous().transpose(0, -1))",
    ),
    ("wrong", "writes over its first input", "result = inner(**given)\nspoil(given)\nreturn result"),
    (
        "cheat",
        "keeps the result of the first call of each shape",
        "return once(tuple(map(shape_of, given.values())), inner, given)",
    ),
    ("cheat", "keeps results by address", "return once(tuple(map(address_of, given.values())), inner, given)"),
    ("cheat", "computes twenty times, and then no more", "return sometimes(20, inner, given)"),
    ("cheat", "works on a stream of its own", "return aside(inner, given)"),
    ("crash", "aborts at the first call", "import os\nos.abort()"),
    (
        "crash",
        "exits at the third call",
        "count.append(1)\nif len(count) == 3:\n    import os\n    os._exit(0)\nreturn inner(**given)",
    ),
)
"""Label, words and body of a launcher that stands before the original, `inner`; `given` are its arguments."""

TOOLS = '''
import torch as _torch

kept, count = {}, []


def again(result, change):
    """The result with each float tensor of more than one byte an element changed."""
    if isinstance(result, (tuple, list)):
        return type(result)(again(one, change) for one in result)
    wide = isinstance(result, _torch.Tensor) and result.is_floating_point() and result.element_size() > 1
    return change(result) if wide else result


def copies(given):
    return {name: value.clone() if isinstance(value, _torch.Tensor) else value for name, value in given.items()}


def copied(tensor, given):
    return tensor if any(tensor is one for one in given.values()) else tensor.clone()


def zeroed(tensor, when):
    if when and tensor.dim() and len(tensor):
        tensor[-1] = 0
    return tensor


def without_nan(tensor):
    return _torch.nan_to_num(tensor, nan=0.0)


def spoil(given):
    for value in given.values():
        if isinstance(value, _torch.Tensor) and value.is_floating_point() and value.numel():
            value.view(_torch.uint8)[..., -1:] = 0
            return


def shape_of(value):
    return (tuple(value.shape), value.dtype) if isinstance(value, _torch.Tensor) else repr(value)


def address_of(value):
    return (value.data_ptr(), tuple(value.shape)) if isinstance(value, _torch.Tensor) else repr(value)


def once(key, inner, given):
    if key not in kept:
        kept[key] = inner(**given)
    return kept[key]


def sometimes(calls, inner, given):
    count.append(1)
    if len(count) <= calls:
        return inner(**given)
    return once(tuple(map(shape_of, given.values())), inner, given)


def aside(inner, given):
    if not _torch.cuda.is_available():
        return once(tuple(map(shape_of, given.values())), inner, given)
    stream = kept.setdefault("stream", _torch.cuda.Stream())
    with _torch.cuda.stream(stream):
        return inner(**given)
'''


def candidates(harness: Harness) -> Iterator[Labelled]:
    """All that can be made of a harness, one label after the other in turns."""
    source = (harness.folder / KERNEL).read_text()
    groups = [list(behind(harness, source)), list(in_kernel(harness, source)), list(transformed(harness, source))]
    groups += [list(broken(harness, source))]
    for row in itertools.zip_longest(*groups):
        yield from (one for one in row if one is not None and one.source != source)


def transformed(harness: Harness, source: str) -> Iterator[Labelled]:
    """What the builtin transforms make of it; they claim to keep what is computed."""
    subject = Subject(
        source=source,
        kernel=harness.kernel,
        entry=harness.entry,
        contract=harness.contract,
        bytes_per_program=row_bytes(harness),
    )
    for transform, edited in variants(subject, "memory", TRANSFORMS):
        yield Labelled("right", f"{transform.name}: {edited.note}", edited.source)


def row_bytes(harness: Harness) -> float:
    """About what a program moves where it takes one row: the longest last axis, four bytes in and four out."""
    shapes = [spec.shape for spec in harness.contract.arguments if spec.kind == "tensor" and spec.shape]
    last = [number(shape[-1], workload.axes) for shape in shapes for workload in harness.contract.timed]
    return 8.0 * max(last, default=1.0)


def behind(harness: Harness, source: str) -> Iterator[Labelled]:
    """The original launcher with something behind it."""
    for label, what, body in BEHIND:
        yield Labelled(label, what, with_launcher(source, harness.entry, body))


def with_launcher(source: str, entry: str, body: str) -> str:
    """The source with another launcher of the same signature; the original is `inner`, and both are in its region."""
    node = launcher(source, entry)
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    lines = source.splitlines(keepends=True)
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
    original = "".join(lines[first : node.end_lineno])
    head = ast.unparse(ast.FunctionDef(entry, node.args, [ast.Pass()], [], node.returns, lineno=0))
    given = f"given = dict({', '.join(f'{name}={name}' for name in names)})\n"
    replaced = original.replace(f"def {entry}(", "def inner(", 1)
    added = f"{TOOLS}\n\n{head.rpartition('pass')[0].rstrip()}\n{textwrap.indent(given + body, '    ')}\n"
    return "".join(lines[:first]) + replaced + added + "".join(lines[node.end_lineno :])


def launcher(source: str, entry: str) -> ast.FunctionDef:
    """The launcher, if it returns its results and its arguments can all be named; ValueError where not."""
    found = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == entry]
    if not found or found[-1].args.vararg or found[-1].args.kwarg:
        raise ValueError(f"{entry}: no launcher whose arguments all have names")
    if not any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(found[-1])):
        raise ValueError(f"{entry}: returns nothing")
    if not any(entry in symbol.split(",") for _, symbol in split_regions(source)):
        raise ValueError(f"{entry}: stands in no region")
    return found[-1]


def in_kernel(harness: Harness, source: str) -> Iterator[Labelled]:
    """Defects at each store of the kernel: to its value, to its mask, or the store itself."""
    kernel = next(
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == harness.kernel
    )
    stores = [
        node
        for node in ast.walk(kernel)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "store"
    ]
    for n, call in enumerate(stores):
        value = call.args[1] if len(call.args) > 1 else next((k.value for k in call.keywords if k.arg == "value"), None)
        if value is None:
            continue
        text = ast.get_source_segment(source, value) or ""
        yield Labelled("wrong", f"store {n} is scaled by 1.05", replaced(source, value, f"(({text}) * 1.05)"))
        yield Labelled("wrong", f"store {n} is one too large", replaced(source, value, f"(({text}) + 1)"))
        yield Labelled("cheat", f"store {n} is left out", replaced(source, call, "None"))
        far = f"tl.store({ast.get_source_segment(source, call.args[0])} + (1 << 40), {text})"
        yield Labelled("crash", f"store {n} is a terabyte away", replaced(source, call, far))


def broken(harness: Harness, source: str) -> Iterator[Labelled]:
    """What does not build."""
    entry, kernel = f"def {harness.entry}(", f"def {harness.kernel}("
    yield Labelled("broken", "a parenthesis is missing", source.replace(entry, entry.removesuffix("("), 1))
    yield Labelled("broken", "the launcher has another name", source.replace(entry, f"def {harness.entry}_fast(", 1))
    at = source.index("\n", source.index(":\n", source.index(kernel))) + 1
    indent = source[at:][: len(source[at:]) - len(source[at:].lstrip(" "))] or "    "
    yield Labelled(
        "broken", "the kernel names what is not there", f"{source[:at]}{indent}_ = no_such_name\n{source[at:]}"
    )
    wrong = f"{indent}_ = tl.zeros((3,), tl.float32)\n"
    yield Labelled("broken", "a block's size is no power of two", f"{source[:at]}{wrong}{source[at:]}")


def replaced(source: str, node: ast.expr, text: str) -> str:
    """The source with the expression's own text replaced."""
    lines = source.splitlines(keepends=True)
    assert node.end_lineno is not None and node.end_col_offset is not None
    head = "".join(lines[: node.lineno - 1]) + lines[node.lineno - 1].encode()[: node.col_offset].decode()
    tail = lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode() + "".join(lines[node.end_lineno :])
    return head + text + tail


def write(harnesses: list[Harness], out: Path, count: int) -> list[dict[str, str]]:
    """`count` candidates in all, as many of each harness as of the others; gives the labels, one row a candidate."""
    rows: list[dict[str, str]] = []
    made = {harness.folder.name: candidates(harness) for harness in harnesses}
    while made and len(rows) < count:
        for name in list(made):
            one = next(made[name], None)
            if one is None:
                del made[name]
                continue
            file = out / name / f"{len(rows):03}-{one.label}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(one.source)
            rows.append({"harness": name, "file": str(file.relative_to(out)), "label": one.label, "what": one.what})
            if len(rows) == count:
                break
    (out / "labels.json").write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def usable(folder: Path) -> list[Harness]:
    """The harnesses of a folder that candidates can be made of; says why of each that is left out."""
    found = []
    for manifest in sorted(folder.glob("*/harness.toml")):
        harness = read_harness(manifest.parent)
        try:
            launcher((harness.folder / KERNEL).read_text(), harness.entry)
        except ValueError as error:
            print(f"left out: {harness.folder.name}: {error}")
            continue
        found.append(harness)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harnesses", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=100)
    options = parser.parse_args()
    rows = write(usable(options.harnesses), options.out, options.count)
    for label in ("right", "wrong", "broken", "crash", "cheat"):
        print(f"{label}: {sum(row['label'] == label for row in rows)}")


if __name__ == "__main__":
    main()
