"""Rung 1: what can be said of a candidate without running it. Suspicious constructs are hints and reject nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kmaint.errors import HarnessError
from kmaint.folder import END, MARKER, split_regions
from kmaint.records.evaluation import NotBuilt
from kmaint.records.harness import Harness

SUSPICIOUS_MODULES = {
    "atexit": "runs code at exit",
    "ctypes": "reaches into memory",
    "gc": "walks live objects",
    "inspect": "reads frames",
    "multiprocessing": "starts processes",
    "os": "reads the environment",
    "socket": "opens connections",
    "subprocess": "starts processes",
    "threading": "starts threads",
    "time": "reads clocks",
}
SUSPICIOUS_NAMES = {
    "__import__": "imports by name",
    "_getframe": "reads frames",
    "Event": "touches timing events",
    "Stream": "makes streams of its own",
    "eval": "evaluates text",
    "exec": "evaluates text",
    "open": "opens files",
    "setattr": "sets attributes by name",
    "CUDAGraph": "captures graphs",
}


def lint(harness: Harness, original: str, source: str) -> tuple[NotBuilt | None, str]:
    """The first reason to refuse the candidate's source, if any, and the hints in one line."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return NotBuilt(reason=f"does not parse: line {line}: {_text(error)}", codes=("syntax",)), ""
    reason = _forbidden_import(harness, original, tree)
    if reason:
        return NotBuilt(reason=reason, codes=("forbidden_import",)), ""
    reason = _signature_changed(harness, original, tree) or _frame_changed(original, source)
    if reason:
        return NotBuilt(reason=reason, codes=("signature",)), ""
    return None, "; ".join(hints(tree))


def _text(error: SyntaxError | ValueError) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


def _forbidden_import(harness: Harness, original: str, tree: ast.Module) -> str:
    """Imports that the original has are its own: a branch that no workload takes may import the framework there."""
    own = {name for _line, name in imported(ast.parse(original))}
    forbidden = {harness.provenance.framework, "kmaint", "runtime", "reference", "test_kernel"}
    for line, name in imported(tree):
        if name.split(".")[0] in forbidden and name not in own:
            return f"line {line}: imports {name}, which a candidate may not"
    return ""


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every module that an import statement names, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def _signature_changed(harness: Harness, original: str, tree: ast.Module) -> str:
    before, after = function(ast.parse(original), harness.entry), function(tree, harness.entry)
    if before is None:
        raise HarnessError(f"{harness.folder}: kernel.py defines no {harness.entry}", "extract it again")
    if after is None:
        return f"{harness.entry}: not defined; the launcher keeps its name"
    wanted, got = parameters(before), parameters(after)
    if wanted != got:
        return f"{harness.entry}: takes ({got}), and the original ({wanted})"
    return ""


def function(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    """The last top-level function of that name: the one that stands after an import."""
    return next((n for n in reversed(tree.body) if isinstance(n, ast.FunctionDef) and n.name == name), None)


def parameters(node: ast.FunctionDef) -> str:
    """Names, kinds and defaults, without annotations: what a caller relies on."""
    bare = ast.parse(ast.unparse(node.args).join(("def f(", "): pass"))).body[0]
    assert isinstance(bare, ast.FunctionDef)
    every = [*bare.args.posonlyargs, *bare.args.args, *bare.args.kwonlyargs, bare.args.vararg, bare.args.kwarg]
    for argument in every:
        if argument is not None:
            argument.annotation = None
    return ast.unparse(bare.args)


def _frame_changed(original: str, source: str) -> str:
    """Only the text inside regions goes back into the tree, so a change outside them would be lost."""
    wanted, got = split_regions(original), split_regions(source)
    for symbol in sorted(symbol for _path, symbol in wanted.keys() - got.keys()):
        return f"region {symbol}: its markers are gone"
    for symbol in sorted(symbol for _path, symbol in got.keys() - wanted.keys()):
        return f"region {symbol}: the original has none of that name"
    before, after = outside(original), outside(source)
    for number, (left, right) in enumerate(zip(before, after, strict=False), start=1):
        if left != right:
            return f"text outside the regions changed, at its line {number}: {right.strip()!r} for {left.strip()!r}"
    return "" if len(before) == len(after) else "text outside the regions changed: lines added or removed at the end"


def outside(source: str) -> list[str]:
    """The lines between regions, markers included, blank lines left out."""
    kept, inside = [], False
    for line in source.splitlines():
        if line == END:
            inside = False
        if not inside and line.strip():
            kept.append(line)
        if MARKER.match(line):
            inside = True
    return kept


def hints(tree: ast.Module) -> Iterator[str]:
    """What a reader should look at: honest kernels use some of these, so they decide nothing."""
    for line, name in imported(tree):
        if why := SUSPICIOUS_MODULES.get(name.split(".")[0]):
            yield f"line {line}: {name} {why}"
    for node in ast.walk(tree):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if why := SUSPICIOUS_NAMES.get(name):
            yield f"line {node.lineno}: {name} {why}"  # type: ignore[attr-defined]
