"""The same address loaded twice with nothing written between: loaded once."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.dependence import WRITES
from kmaint.agent.transforms.source import blocks, edited, kernel_parts
from kmaint.spans import Replacement, Source, assigned, calls, names


def apply(subject: Subject) -> list[Edited]:
    """One variant with every repeated load replaced by the name that holds the first."""
    source, kernel = kernel_parts(subject)
    edits: list[Replacement] = []
    for block in blocks(kernel):
        edits += _repeated(source, block)
    if not edits:
        raise NotApplicable("no address is loaded twice with nothing written between")
    return [edited(source, edits, f"{len(set(edits))} repeated loads taken from registers")]


def _repeated(source: Source, block: list[ast.stmt]) -> list[Replacement]:
    """Loads in a block's own statements that repeat `name = tl.load(...)` above them."""
    edits: list[Replacement] = []
    held: dict[str, tuple[str, set[str]]] = {}
    for statement in block:
        simple = isinstance(statement, (ast.Assign, ast.AugAssign, ast.Expr, ast.AnnAssign))
        if simple:
            for call in calls(statement, "load"):
                known = held.get(ast.dump(call))
                if known is not None:
                    edits.append(source.replace(call, known[0]))
        if any(calls(statement, *WRITES)) or not simple or calls_other(statement):
            held.clear()
        bound = assigned(statement)
        held = {key: value for key, value in held.items() if not (value[1] | {value[0]}) & bound}
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call) if call in list(calls(call, "load")):
                inputs = names(call) - {"tl"}
                volatile = any(keyword.arg == "volatile" for keyword in call.keywords)
                if name not in inputs and not volatile:
                    held.setdefault(ast.dump(call), (name, inputs))
    return edits


def calls_other(statement: ast.stmt) -> bool:
    """Whether a statement calls a function by name: it may write."""
    return any(isinstance(node, ast.Call) and isinstance(node.func, ast.Name) for node in ast.walk(statement))


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < n)
    y = x * tl.sigmoid(tl.load(x_ptr + offsets, mask=offsets < n))
    tl.store(y_ptr + offsets, y, mask=offsets < n)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    kernel[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
    return y
"""

MERGE_LOADS = Transform(
    name="merge_loads",
    why="A second load of the same address is a second trip through the load units, however warm the cache.",
    precondition="Two loads in one block read the same expression, and nothing between writes or rebinds a name of it.",
    addresses=("memory", "latency"),
    rounding=False,
    before=BEFORE,
    after=BEFORE.replace("tl.sigmoid(tl.load(x_ptr + offsets, mask=offsets < n))", "tl.sigmoid(x)"),
    apply=apply,
)
