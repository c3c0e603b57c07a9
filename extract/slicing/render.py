"""The text of a slice: kernel.py with its regions verbatim between markers, and shims.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extract.slicing.modules import Library
from extract.slicing.pieces import Closure, Piece, executable_order
from extract.slicing.shims import PRELUDE, PROVIDE, Shim
from kmaint.folder import END, indented, sha256
from kmaint.records.harness import Region


def regions_of(closure: Closure) -> Iterator[tuple[Region, str]]:
    """Each piece as a region with its text, in the order in which kernel.py holds them."""
    written: set[tuple[str, int, int]] = set()
    for piece in executable_order(closure):
        statement, path = piece.statement, piece.module.relative
        if (path, statement.line, statement.end_line) in written:
            continue  # two statements on one line
        written.add((path, statement.line, statement.end_line))
        text = piece.module.text(statement)
        text = text if text.endswith("\n") else f"{text}\n"
        region = Region(
            path=path,
            symbol=",".join(statement.names),
            line=statement.line,
            end_line=statement.end_line,
            sha256=sha256(indented(text, statement.indent)),
            indent=statement.indent,
        )
        yield region, text


def kernel_source(closure: Closure, title: str) -> str:
    """kernel.py: the imports that are used, then the regions, whose text is the framework's own."""
    blocks = [f'"""{title}"""']
    if closure.future:
        blocks.append("from __future__ import annotations")
    if imports := sorted({kept.text for kept in closure.imports.values()} | _namespace_import(closure)):
        blocks.append("\n".join(_grouped(imports)))
    if stand_ins := _shim_imports(closure):
        blocks.append("\n".join(stand_ins))
    if closure.namespaces:
        blocks.append("\n".join(f'{name} = types.ModuleType("{name}")' for name in sorted(closure.namespaces)))
    if early := list(_attached(closure, {*closure.imports, *closure.shims})):
        blocks.append("\n".join(early))
    if closure.provided:
        blocks.append("\n".join(_provided(closure)))
    text = "\n\n".join(blocks) + "\n"
    for region, body in regions_of(closure):
        text += f"\n\n# region {region.path}:{region.line}-{region.end_line} {region.symbol}\n{body}{END}\n"
        if after := list(_attached(closure, set(region.symbol.split(",")))):
            text += "\n" + "\n".join(after) + "\n"
    return text


def _provided(closure: Closure) -> Iterator[str]:
    """Which imports inside functions kernel.py answers itself."""
    yield "provide("
    yield "    globals(),"
    yield "    {"
    for module, names in sorted(closure.provided.items()):
        yield f"""        "{module}": ({" ".join(f'"{name}",' for name in sorted(names))}),"""
    yield "    },"
    yield ")"


def _namespace_import(closure: Closure) -> set[str]:
    return {"import types"} if closure.namespaces else set()


def _grouped(lines: list[str]) -> list[str]:
    """Plain imports before from-imports, as sorters of imports have it."""
    return [
        *(line for line in lines if line.startswith("import ")),
        *(line for line in lines if line.startswith("from ")),
    ]


def _shim_imports(closure: Closure) -> list[str]:
    lines = [
        f"from shims import {shim.name}" + ("" if name == shim.name else f" as {name}")
        for name, shim in sorted(closure.shims.items())
    ]
    if closure.provided:
        lines.append("from shims import provide")
    return lines or (
        ["import shims  # noqa: F401 - answers for torch.cuda on a machine without CUDA"] if closure.torch_shims else []
    )


def _attached(closure: Closure, defined: set[str]) -> Iterator[str]:
    """What has to follow the definition of these names: other modules' names for them."""
    for name, target in sorted(closure.aliases.items()):
        if target in defined:
            yield f"{name} = {target}"
    for namespace, attributes in sorted(closure.namespaces.items()):
        for attribute, target in sorted(attributes.items()):
            if target in defined:
                yield f"{namespace}.{attribute} = {target}"


def shims_source(closure: Closure, library: Library, framework: str) -> str:
    """shims.py: each stand-in under the reason it may stand in; empty where none is needed."""
    chosen = {shim.symbol: shim for shim in closure.shims.values()} | closure.torch_shims
    if not chosen and not closure.provided:
        return ""
    body = "".join(
        f"\n\n# {shim.symbol}: {shim.reason}\n{shim.source}{_fields(closure, shim, library)}"
        for _, shim in sorted(chosen.items())
    )
    if closure.provided:
        body = f"\n\n{PROVIDE}{body}"
    prelude = f"\n\n{PRELUDE}" if "_capability()" in body else ""
    wanted = {
        "import builtins": "builtins." in body,
        "import contextlib": "contextlib." in body,
        "import dataclasses": "dataclasses." in body,
        "import logging": "logging." in body,
        "import re": "re.match" in body,
        "import types": "types." in body,
        "import torch": "torch." in body + prelude,
        "from typing import NamedTuple": "(NamedTuple)" in body,
    }
    imports = "\n".join(line for line, needed in wanted.items() if needed)
    return (
        f'"""What stands in for {framework} in kernel.py."""\n' + (f"\n{imports}\n" if imports else "") + prelude + body
    )


def with_shims(source: str, shims: str) -> str:
    """kernel.py as one file: what it imports from shims stands where it imports it."""
    lines = source.splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith(("from shims import", "import shims")))
    kept = [line for line in lines[first:] if not line.startswith(("from shims import", "import shims"))]
    renamed = [
        f"{words[-1]} = {words[3]}\n"
        for line in lines
        if line.startswith("from shims import") and len(words := line.split()) > 4
    ]
    return "".join([*lines[:first], shims, *renamed, *kept])


def _fields(closure: Closure, shim: Shim, library: Library) -> str:
    """A table of settings gets those that the slice reads, each with the default that the tree states."""
    if not shim.fields:
        return ""
    name = next(name for name, other in closure.shims.items() if other is shim)
    lines = [
        f"{shim.name}.{setting} = {default}\n"
        for setting in sorted(closure.settings.get(name, ()))
        if (default := stated_default(library, shim.fields, setting)) is not None
    ]
    return "\n" + "".join(lines) if lines else ""


def stated_default(library: Library, module: str, setting: str) -> str | None:
    """Source of a setting's default: `X: bool = False` as it stands, `X = EnvBool(False)` as `_Setting(False)`."""
    found = library.module(module)
    for node in ast.walk(ast.parse(found.source)) if found else ():
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant() as value) if name == setting:
                return ast.unparse(value)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(args=[ast.expr() as value, *_])) if (
                name == setting
            ):
                return f"_Setting({ast.unparse(value)})" if isinstance(value, ast.Constant) else None
    return None


def touched(closure: Closure) -> list[Piece]:
    """One piece of each module that the slice takes from."""
    return list({piece.module: piece for piece in closure.pieces.values()}.values())
