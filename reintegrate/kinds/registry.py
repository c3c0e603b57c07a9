"""A backend in SGLang's kernel registry: a module of its own, and the specification that names it.

For a kernel whose operator serving dispatches elsewhere: an edit would change a fallback that nobody measured, a branch
would never be reached. Which backend serves stays as it is; nothing here was timed against it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kmaint.errors import UsageError
from kmaint.folder import sha256
from kmaint.formatting import format_python
from kmaint.layout import use_of
from kmaint.records.change import Edit, NewFile, Patch
from reintegrate.imports import COLUMNS, extended, in_groups
from reintegrate.kinds.guard import Guard
from reintegrate.kinds.standing import Beside, outside_as_shipped, stand_beside, suffix_of
from reintegrate.kinds.win import Declined, Win
from reintegrate.names import bound_names, needed_names
from reintegrate.repository import git

SPECIFICATIONS = "sglang/kernels/spec.py"
OPERATORS = "sglang/kernels/ops/"
SPDX = "# SPDX-License-Identifier: Apache-2.0\n"
FUSED = re.compile(r"""^    op(?:: *\w+)? = ["']([\w.]+)["']""", re.MULTILINE)


def served_elsewhere(win: Win, tree: Path) -> str:
    """That what imports the launcher calls another implementation with the same arguments where it can; else empty."""
    for path in _importers(win, tree):
        for function in ast.walk(ast.parse((tree / path).read_text())):
            choices = ast.walk(function) if isinstance(function, ast.FunctionDef) else ()
            for choice in choices:
                if isinstance(choice, ast.If) and (other := _preferred(choice, win.harness.entry)):
                    test = " ".join(ast.unparse(choice.test).split())
                    return f"serving calls {other} instead ({path}, where {test})"
    return ""


def _importers(win: Win, tree: Path) -> list[str]:
    """Files of the package that import from the module of the launcher."""
    framework = win.harness.provenance.framework
    module = win.harness.provenance.path.removesuffix(".py").replace("/", ".")
    dotted = module[module.index(f"{framework}.") :] if f"{framework}." in module else module
    try:
        found = git(tree, "grep", "--files-with-matches", "--fixed-strings", f"from {dotted} import", "--", "*.py")
    except UsageError:
        return []  # git's word for nothing found, or no repository
    return [path for path in found.splitlines() if use_of(path) is None]


def _preferred(choice: ast.If, entry: str) -> str:
    """What the first branch calls with the very arguments that the other gives the launcher; empty where none does."""
    own = {_arguments(call) for call in _calls(choice.orelse) if _called(call) == entry}
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for statement in choice.body
        for node in ast.walk(statement)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for call in _calls(choice.body):
        name = _called(call)
        if _arguments(call) in own and (name != entry or name in imported):
            return imported.get(name, name)
    return ""


def _calls(body: list[ast.stmt]) -> Iterator[ast.Call]:
    for statement in body:
        yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _arguments(call: ast.Call) -> str:
    return ", ".join(ast.unparse(one) for one in (*call.args, *call.keywords))


def registry_patch(win: Win, tree: Path) -> Patch | Declined:
    """The variant in a module beside the original's, registered by name for the architecture that was measured."""
    origin = win.harness.provenance
    if origin.framework != "sglang":
        return Declined(f"kmaint writes registrations for sglang only, not for {origin.framework}")
    prefix, found, rest = origin.path.partition(OPERATORS)
    init = f"{prefix}{OPERATORS}{rest.split('/')[0]}/__init__.py"
    if not found or not (tree / prefix / SPECIFICATIONS).is_file() or not (tree / init).is_file():
        return Declined("the tree has no sglang.kernels registry that this kernel belongs to")
    variant = stand_beside(win, f"use_{_name(win)}", whole=True)
    return variant if isinstance(variant, Declined) else _patch(win, tree, init, variant)


def _operator(win: Win) -> str:
    return win.harness.op.rpartition(".")[2]


def _name(win: Win) -> str:
    return f"{_operator(win)}_{suffix_of(win)}"


def _patch(win: Win, tree: Path, init: str, found: Beside) -> Patch:
    path = f"{init.rpartition('/')[0]}/{_name(win)}.py"
    if (tree / path).exists():
        raise UsageError(f"{tree / path}: stands there already", "an earlier variant is there: revise that")
    text = (tree / init).read_text()
    operator = _operator_id(text, init.split("/")[-2], win)
    module = path[path.index("sglang/") :].removesuffix(".py").replace("/", ".")
    edits = (
        extended(init, text, "sglang.kernels.registry", ["register_kernel"]),
        extended(init, text, "sglang.kernels.spec", SPEC_NAMES),
        _registration(init, text, _specification(operator, f"{module}:{_name(win)}", win, found.guard)),
    )
    original = (tree / win.harness.provenance.path).read_text()
    return Patch(
        edits=tuple(edit for edit in edits if edit is not None),
        files={init: sha256((tree / init).read_bytes())},
        kind="registry",
        reason=f"registered as {operator}; which backend serves stays as it is, and was not timed against this one",
        new=(NewFile(path=path, text=_module(win, original, found), part="kernel"),),
        shown=(outside_as_shipped(win, found),),
    )


SPEC_NAMES = ("CapabilityRequirement", "FormatSignature", "KernelBackend", "KernelSpec")


def _operator_id(text: str, group: str, win: Win) -> str:
    """The fused operator of that name, which has several backends already; else one of its own.

    A second backend of an operator that has one would leave `select_kernel` without an answer.
    """
    fused = {found for found in FUSED.findall(text) if found == f"{group}.{_operator(win)}"}
    return next(iter(fused), f"{group}.{_name(win)}")


def _specification(operator: str, target: str, win: Win, guard: Guard) -> str:
    dtypes = sorted({str(value) for bound in guard.bounds for value in bound.values if _is_dtype(value)})
    arch = f"CapabilityRequirement.cuda(min_sm={guard.capability}, max_sm={guard.capability})"
    text = (
        f'register_kernel(KernelSpec(op="{operator}", backend=KernelBackend.TRITON, target="{target}", '
        f"capabilities=frozenset({{{arch}}}), "
        f"format_signature=FormatSignature(supported_dtypes={tuple(dtypes)!r}), "
        f'description="{win.harness.entry}, measured on {win.evaluation.environment.device}.",))\n'
    )
    return format_python(text, columns=COLUMNS)


def _is_dtype(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"(b?float|int|uint)\w+", value) is not None


def _registration(path: str, text: str, specification: str) -> Edit:
    """The specification below the file's last statement."""
    last = ast.parse(text).body[-1]
    assert last.end_lineno is not None
    lines = text.splitlines(keepends=True)[last.lineno - 1 : last.end_lineno]
    names = sorted({node.id for node in ast.walk(last) if isinstance(node, ast.Name)})
    symbol = getattr(last, "name", "") or ",".join(names)
    gap = "\n\n" if isinstance(last, ast.FunctionDef | ast.ClassDef) else "\n"
    return Edit(
        path=path,
        symbol=symbol,
        line=last.lineno,
        end_line=last.end_lineno,
        before_sha256=sha256("".join(lines)),
        after=f"{''.join(lines)}{gap}{specification}",
        adds=("register_kernel",),
    )


def _module(win: Win, original: str, found: Beside) -> str:
    """The variant with the imports that it needs, behind the name that the registry has."""
    public = found.variant.source.replace(found.variant.launcher, _name(win))
    body = f"{found.test.source}\n\n{public}"
    needed = needed_names(body)
    imports = [
        ast.get_source_segment(original, node) or ""
        for node in ast.parse(original).body
        if isinstance(node, ast.Import | ast.ImportFrom) and bound_names(ast.unparse(node)) & needed
    ]
    if lacking := sorted(needed - bound_names("\n".join(imports))):
        origin = win.harness.provenance.path
        module = origin[origin.index("sglang/") :].removesuffix(".py").replace("/", ".")
        imports.append(f"from {module} import {', '.join(lacking)}")
    docstring = (
        f'"""`{win.harness.entry}` for calls on which a variant was measured to be faster.\n\n'
        f"Beside {win.harness.provenance.path.rpartition('/')[2]}, which is for all calls that "
        f'`{found.test.name}` does not\ntake.\n"""\n'
    )
    return format_python(f"{SPDX}{docstring}\n" + in_groups(imports) + f"\n\n\n{body}", columns=COLUMNS)
