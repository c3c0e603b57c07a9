"""Candidates that are wrong on purpose: a suite that accepts one of them vouches for nothing."""

from __future__ import annotations

import ast
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kmaint import wire
from kmaint.errors import HarnessError, InternalError
from kmaint.evaluate.bench import Bench, side_by_side
from kmaint.evaluate.rungs import facts
from kmaint.evaluate.rungs.suite import run_suite
from kmaint.folder import SUITE
from kmaint.records.harness import Harness


def trust(harness: Harness, bench: Bench, *, on_gpu: bool) -> str:
    """Run the controls; InternalError where the suite accepts one.

    Once for each suite in every run of kmaint: no file vouches for a suite. Gives a sentence for the report.
    """
    original = harness.replaced.read_text()
    mark = wire.digest(f"{original}{(harness.folder / SUITE).read_text()}{'gpu' if on_gpu else 'cpu'}", length=32)
    if mark in bench.trusted:
        return "controls were refused when this run began"
    with tempfile.TemporaryDirectory(prefix="kmaint-control-") as name:
        laid = laid_controls(harness, bench, Path(name))
        for what, candidate in laid.items():
            bench.progress(f"control: {what}")
            if run_suite(harness, candidate, bench, on_gpu=on_gpu, most=1).rejection is None:
                raise InternalError(
                    f"{harness.folder / SUITE}: [control_accepted] passes {what}, so its word is worth nothing",
                    f"write it again with 'kmaint testgen {harness.folder}'",
                )
    bench.trusted.add(mark)
    return f"{' and '.join(laid)} were refused"


def laid_controls(harness: Harness, bench: Bench, scratch: Path) -> dict[str, Path]:
    """The files of the controls, by what they are; in CUDA C++ built, since one that does not build is no control."""
    sources = controls(harness)
    if harness.language == "cuda":
        built = side_by_side(lambda text: facts.built_by_us(harness, text, bench, scratch), list(sources.values()))
        return dict(zip(sources, built, strict=True))
    files = {what: scratch / f"candidate_{n}.py" for n, what in enumerate(sources)}
    for what, file in files.items():
        file.write_text(sources[what])
    return files


def controls(harness: Harness) -> dict[str, str]:
    """Their sources, by what they are. HarnessError where none can be made of the kernel."""
    original = harness.replaced.read_text()
    if harness.language == "cuda":
        if not list(bodies(original)):
            raise HarnessError(f"{harness.replaced}: no __global__ function to plant a defect in", "judge it by hand")
        return {
            "a kernel that stores nothing": _with_bodies(original, keep=False, first=""),
            "a kernel whose every second program does nothing": _with_bodies(original, keep=True, first=EVERY_SECOND),
        }
    return {
        "a kernel that stores nothing": ast.unparse(_NoStore().visit(ast.parse(original))),
        "a kernel that adds one to what it stores": ast.unparse(_StoreMore().visit(ast.parse(original))),
    }


# --- In CUDA C++

EVERY_SECOND = " if (blockIdx.x & 1u) return;"
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.DOTALL | re.MULTILINE)
GLOBAL = re.compile(r"\b__global__\b")


def bodies(text: str) -> Iterator[tuple[int, int]]:
    """From the opening brace of each kernel that is defined in the text to behind its closing one."""
    plain = NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for found in GLOBAL.finditer(plain):
        start = _outside(plain, found.end(), "{;")
        if start < len(plain) and plain[start] == "{":
            yield start, _outside(plain, start + 1, "}") + 1


def _outside(plain: str, start: int, wanted: str) -> int:
    """Where the first of these characters stands that is in no bracket opened since."""
    depth = 0
    for at in range(start, len(plain)):
        letter = plain[at]
        if depth == 0 and letter in wanted:
            return at
        depth += (letter in "([{") - (letter in ")]}")
    return len(plain)


def _with_bodies(text: str, *, keep: bool, first: str) -> str:
    """The text with `first` at the beginning of each kernel, and the rest of it kept or not."""
    parts, done = list[str](), 0
    for start, end in bodies(text):
        parts += [text[done : start + 1], first, text[start + 1 : end] if keep else "}"]
        done = end
    return "".join([*parts, text[done:]])


# --- In Triton


def _stores(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and (node.func.attr == "store" or node.func.attr.startswith("atomic_"))


class _NoStore(ast.NodeTransformer):
    """Takes out every store that stands as a statement of its own."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        return ast.Pass() if isinstance(node.value, ast.Call) and _stores(node.value) else node


class _StoreMore(ast.NodeTransformer):
    """`tl.store(p, v)` becomes `tl.store(p, v + 1)`."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if _stores(node):
            named = next((k for k in node.keywords if k.arg in ("value", "val")), None)
            if named is not None:
                named.value = ast.BinOp(named.value, ast.Add(), ast.Constant(1))
            elif len(node.args) > 1:
                node.args[1] = ast.BinOp(node.args[1], ast.Add(), ast.Constant(1))
        return node
