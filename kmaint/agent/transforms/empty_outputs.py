"""Outputs that the kernel writes from end to end, no longer filled with zeros first."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.dependence import ATOMICS, roots
from kmaint.agent.transforms.launches import Launch, all_launches, launches
from kmaint.agent.transforms.source import assignments, edited, kernel_parts
from kmaint.spans import Function, Replacement, Source, calls

EMPTY = {"zeros": "empty", "zeros_like": "empty_like", "new_zeros": "new_empty"}
READ_ONLY = {"stride", "shape", "size", "dtype", "device", "numel", "view", "data_ptr", "element_size", "is_contiguous"}


def apply(subject: Subject) -> list[Edited]:
    """One variant; whether every element is written is for the gate to say, whose fresh memory is full of NaN."""
    source, kernel = kernel_parts(subject)
    edits: list[Replacement] = []
    names: list[str] = []
    for launch in launches(source, subject):
        if any(isinstance(node, ast.Return) and node is not kernel.body[-1] for node in ast.walk(kernel)):
            raise NotApplicable("a program may return before it writes")
        for parameter, given in launch.arguments.items():
            if isinstance(given, ast.Name) and _only_written(kernel, parameter):
                filled = _filled(source, subject, launch, given.id)
                if filled is not None:
                    edits.append(filled)
                    names.append(given.id)
    if not edits:
        raise NotApplicable("no output that the kernel only writes is filled with zeros by the launcher")
    return [edited(source, edits, f"not filled with zeros first: {', '.join(dict.fromkeys(names))}")]


def _only_written(kernel: Function, parameter: str) -> bool:
    """Whether the kernel stores through a parameter, and neither loads nor adds through it nor hands it on."""
    stored = any(parameter in roots(kernel, call.args[0]) for call in calls(kernel, "store") if call.args)
    read = any(parameter in roots(kernel, call.args[0]) for call in calls(kernel, "load", *ATOMICS) if call.args)
    handed = any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and any(isinstance(item, ast.Name) and item.id == parameter for item in node.args)
        for node in ast.walk(kernel)
    )
    return stored and not read and not handed


def _filled(source: Source, subject: Subject, launch: Launch, name: str) -> Replacement | None:
    """The edit of `name = torch.zeros(...)` where nothing but this launch and its reader sees what is in it."""
    bound = assignments(launch.host, name)
    if len(bound) != 1 or name in {item.arg for item in launch.host.args.args}:
        return None
    match bound[0]:
        case ast.Assign(value=ast.Call(func=ast.Attribute(attr=kind) as function)) if kind in EMPTY:
            end = source.span(function)[1]
            others = [one for one in all_launches(source, subject.entry) if one.call is not launch.call]
            seen = any(
                isinstance(item, ast.Name) and item.id == name for one in others for item in one.arguments.values()
            )
            if seen or not _untouched(launch, name):
                return None
            return Replacement(end - len(kind), end, EMPTY[kind])
        case _:
            return None


def _untouched(launch: Launch, name: str) -> bool:
    """Whether the launcher only asks for the tensor's shape, launches with it, and returns it."""
    allowed: set[ast.AST] = set()
    for node in ast.walk(launch.host):
        match node:
            case ast.Attribute(value=ast.Name() as value, attr=attribute) if attribute in READ_ONLY:
                allowed.add(value)
            case ast.Return(value=ast.expr() as value):
                allowed |= set(ast.walk(value))
            case _:
                continue
    allowed |= set(ast.walk(launch.call))
    uses = [node for node in ast.walk(launch.host) if isinstance(node, ast.Name) and node.id == name]
    return all(isinstance(node.ctx, ast.Store) or node in allowed for node in uses)


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < n)
    tl.store(y_ptr + offsets, x * 2.0, mask=offsets < n)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.zeros_like(x)
    kernel[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
    return y
"""

EMPTY_OUTPUTS = Transform(
    name="empty_outputs",
    why="Filling an output with zeros is one more kernel, and writes all of it once more.",
    precondition="A `torch.zeros` of the launcher goes to this kernel alone, which stores to it and never reads it.",
    addresses=("memory", "latency"),
    rounding=False,
    before=BEFORE,
    after=BEFORE.replace("torch.zeros_like(x)", "torch.empty_like(x)"),
    apply=apply,
)
