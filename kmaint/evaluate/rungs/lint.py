"""Rung 1: what can be said of a candidate without running it. Suspicious constructs are hints and reject nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from kmaint.errors import HarnessError
from kmaint.folder import END, MARKER, split_regions
from kmaint.records.evaluation import Dishonest, NotBuilt
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
ANSWERS = frozenset({"kernel", "reference", "test_kernel"})
"""Modules of a harness that compute, or check for, what a candidate has to compute itself."""
OURS = frozenset({"kmaint", "runtime"})
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


def lint(harness: Harness, original: str, source: str) -> tuple[NotBuilt | Dishonest | None, str]:
    """The first reason to refuse the candidate's source, if any, and the hints in one line.

    Where a candidate may use torch as it likes it need not keep the regions: only its launcher has to be the same. Of
    CUDA C++ the compiler says whether it parses, and whether what the binding calls is still there.
    """
    if harness.language == "cuda":
        return _lint_cuda(harness, source)
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        return NotBuilt(reason=f"does not parse: line {line}: {_text(error)}", codes=("syntax",)), ""
    if refused := _forbidden_import(harness, original, tree):
        return refused, ""
    changed, ignored = frame_changed(original, source), _ignored(harness, original, tree)
    reason = _signature_changed(harness, original, tree) or ("" if harness.compute == "any" else changed or ignored)
    if reason:
        return NotBuilt(reason=reason, codes=("signature",)), ""
    notes = [f"cannot be put back by region: {changed}"] if changed else []
    return None, "; ".join([*notes, *([ignored] if ignored else []), *hints(tree)])


WORD = re.compile(r"[A-Za-z_]\w*")
ABSOLUTE = re.compile(r'^[ \t]*#[ \t]*(?:include|embed)\s*[<"](?P<path>/[^">]*)', re.MULTILINE)
SUSPICIOUS_CALLS = {
    "aoti_torch_call_dispatcher": "has torch compute",
    "clock64": "reads clocks",
    "cudaEventRecord": "touches timing events",
    "cudaMallocAsync": "keeps memory of its own",
    "cudaMalloc": "keeps memory of its own",
    "cudaStreamCreate": "makes streams of its own",
    "cudaStreamCreateWithFlags": "makes streams of its own",
    "dlopen": "loads libraries",
    "dlsym": "looks up functions by name",
    "fopen": "opens files",
    "fork": "starts processes",
    "fstream": "opens files",
    "getenv": "reads the environment",
    "ifstream": "opens files",
    "mmap": "reaches into memory",
    "pthread_create": "starts threads",
    "system": "starts processes",
    "thread": "starts threads",
}
"""Words of C++: Python's hooks do not see what native code does."""


def _lint_cuda(harness: Harness, source: str) -> tuple[NotBuilt | Dishonest | None, str]:
    if not source.strip() or "\0" in source:
        return NotBuilt(reason=f"{harness.replaced.name}: no text", codes=("syntax",)), ""
    for found in ABSOLUTE.finditer(source):
        return NotBuilt(reason=f"includes {found['path']}, by no path in the harness", codes=("forbidden_import",)), ""
    strange = SUSPICIOUS_CALLS.keys() - set(WORD.findall(harness.replaced.read_text()))
    lines = enumerate(source.splitlines(), start=1)
    notes = [(n, word) for n, line in lines for word in WORD.findall(line) if word in strange]
    return None, "; ".join(f"line {n}: {word} {SUSPICIOUS_CALLS[word]}" for n, word in notes)


def _text(error: Exception) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__


def _forbidden_import(harness: Harness, original: str, tree: ast.Module) -> NotBuilt | Dishonest | None:
    """Imports that the original has are its own: a branch that no workload takes may import the framework there."""
    own = {name for _line, name in imported(ast.parse(original))}
    for line, name in imported(tree):
        root = name.split(".")[0]
        reason = f"line {line}: imports {name}, which a candidate may not"
        if name in own:
            continue
        if root in ANSWERS:
            return Dishonest(reason=reason, codes=("forbidden_import", "reference_read"))
        if root == harness.provenance.framework:
            return NotBuilt(reason=reason, codes=("forbidden_import", "reference_fallback"))
        if root in OURS:
            return NotBuilt(reason=reason, codes=("forbidden_import",))
    return None


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
        if harness.compute == "any" and _binds(tree, harness.entry):
            return ""  # made by a call or taken from elsewhere: its parameters show when it is called
        return f"{harness.entry}: not defined; the launcher keeps its name"
    wanted, got = parameters(before), parameters(after)
    if wanted != got:
        return f"{harness.entry}: takes ({got}), and the original ({wanted})"
    return ""


def _ignored(harness: Harness, original: str, tree: ast.Module) -> str:
    """A parameter that the original's launcher reads and the candidate's does not, though no test passes it: an `out`
    that somebody else's callers give stays as it was."""
    before, after = function(ast.parse(original), harness.entry), function(tree, harness.entry)
    if before is None or after is None:
        return ""
    passed = {argument.name for argument in harness.contract.arguments}
    for name in (one.arg for one in [*before.args.posonlyargs, *before.args.args, *before.args.kwonlyargs]):
        if name not in passed and _reads(before, name) and not _reads(after, name):
            return f"{harness.entry}: does nothing with {name}, which the original reads and no test passes"
    return ""


def _reads(node: ast.FunctionDef, name: str) -> bool:
    """Whether the body reads what it is given as the parameter, before a statement of its own that replaces that."""
    for statement in node.body:
        found = [one.ctx for one in ast.walk(statement) if isinstance(one, ast.Name) and one.id == name]
        if isinstance(statement, ast.AugAssign) or any(isinstance(one, ast.Load) for one in found):
            if found:
                return True
        elif found and isinstance(statement, (ast.Assign, ast.AnnAssign)):
            return False
    return False


def function(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    """The last function of that name that the module itself defines, be it in a branch or under `try`."""
    return next((n for n in reversed(list(_statements(tree.body))) if _defines(n, name)), None)  # type: ignore[return-value]


def _defines(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == name


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run in the module's own scope, in order."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from _statements([*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])])
            for handler in getattr(node, "handlers", []):
                yield from _statements(handler.body)


def _binds(tree: ast.Module, name: str) -> bool:
    """Whether the module gives the name a value by an assignment or an import."""
    for node in _statements(tree.body):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and any((a.asname or a.name) == name for a in node.names):
            return True
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return True
    return False


def parameters(node: ast.FunctionDef) -> str:
    """Names, kinds and defaults, without annotations: what a caller relies on."""
    bare = ast.parse(ast.unparse(node.args).join(("def f(", "): pass"))).body[0]
    assert isinstance(bare, ast.FunctionDef)
    every = [*bare.args.posonlyargs, *bare.args.args, *bare.args.kwonlyargs, bare.args.vararg, bare.args.kwarg]
    for argument in every:
        if argument is not None:
            argument.annotation = None
    return ast.unparse(bare.args)


def frame_changed(original: str, source: str) -> str:
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
