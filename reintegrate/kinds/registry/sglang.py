"""A backend in SGLang's kernel registry: a module of its own, and the specification that names it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from kmaint.errors import UsageError
from kmaint.folder import sha256
from kmaint.formatting import format_python
from kmaint.records.change import Edit, NewFile, Patch
from reintegrate.companions.places import SGLANG
from reintegrate.imports import COLUMNS, extended
from reintegrate.kinds.guard import Guard
from reintegrate.kinds.registry.module import backend_name, module_text, operator
from reintegrate.kinds.standing import Beside, outside_as_shipped, stand_beside
from reintegrate.kinds.win import Declined, Win
from reintegrate.names import dotted

SPECIFICATIONS = "sglang/kernels/spec.py"
OPERATORS = "sglang/kernels/ops/"
FUSED = re.compile(r"""^    op(?:: *\w+)? = ["']([\w.]+)["']""", re.MULTILINE)


def specified(win: Win, tree: Path) -> Patch | Declined:
    """The variant in a module of its group, with a `KernelSpec` for the architecture that was measured."""
    origin = win.harness.provenance
    prefix, found, rest = origin.path.partition(OPERATORS)
    init = f"{prefix}{OPERATORS}{rest.split('/')[0]}/__init__.py"
    if not found or not (tree / prefix / SPECIFICATIONS).is_file() or not (tree / init).is_file():
        return Declined("the tree has no sglang.kernels registry that this kernel belongs to")
    variant = stand_beside(win, f"use_{backend_name(win)}", whole=True)
    return variant if isinstance(variant, Declined) else _patch(win, tree, init, variant)


def _patch(win: Win, tree: Path, init: str, found: Beside) -> Patch:
    path = f"{init.rpartition('/')[0]}/{backend_name(win)}.py"
    if (tree / path).exists():
        raise UsageError(f"{tree / path}: stands there already", "an earlier variant is there: revise that")
    text = (tree / init).read_text()
    registered = _operator_id(text, init.split("/")[-2], win)
    module = dotted(path, "sglang")
    edits = (
        extended(init, text, "sglang.kernels.registry", ["register_kernel"]),
        extended(init, text, "sglang.kernels.spec", SPEC_NAMES),
        _registration(init, text, _specification(registered, f"{module}:{backend_name(win)}", win, found.guard)),
    )
    return Patch(
        edits=tuple(edit for edit in edits if edit is not None),
        files={init: sha256((tree / init).read_bytes())},
        kind="registry",
        reason=f"registered as {registered}; which backend serves stays as it is, and was not timed against this one",
        new=(NewFile(path=path, text=_module(win, tree, found), part="kernel"),),
        shown=(outside_as_shipped(win, found),),
    )


SPEC_NAMES = ("CapabilityRequirement", "FormatSignature", "KernelBackend", "KernelSpec")


def _operator_id(text: str, group: str, win: Win) -> str:
    """The fused operator of that name, which has several backends already; else one of its own.

    A second backend of an operator that has one would leave `select_kernel` without an answer.
    """
    fused = {found for found in FUSED.findall(text) if found == f"{group}.{operator(win)}"}
    return next(iter(fused), f"{group}.{backend_name(win)}")


def _specification(registered: str, target: str, win: Win, guard: Guard) -> str:
    dtypes = sorted({str(value) for bound in guard.bounds for value in bound.values if _is_dtype(value)})
    arch = f"CapabilityRequirement.cuda(min_sm={guard.capability}, max_sm={guard.capability})"
    text = (
        f'register_kernel(KernelSpec(op="{registered}", backend=KernelBackend.TRITON, target="{target}", '
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


def _module(win: Win, tree: Path, found: Beside) -> str:
    """The variant behind the name that the registry has."""
    public = found.variant.source.replace(found.variant.launcher, backend_name(win))
    docstring = (
        f'"""`{win.harness.entry}` for calls on which a variant was measured to be faster.\n\n'
        f"Beside {found.variant.region.path.rpartition('/')[2]}, which is for all calls that "
        f'`{found.test.name}` does not\ntake.\n"""\n'
    )
    return module_text(win, tree, found, (f"{SGLANG.header}{docstring}", f"{found.test.source}\n\n{public}"), {})
