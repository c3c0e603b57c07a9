"""What transforms need of a kernel.py: variants out of edits, and what its statements bind."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject
from kmaint.agent.transforms.formatting import format_changed
from kmaint.spans import Function, OverlapError, Replacement, Source, in_order, region_spans, replaced

OTHER_PLATFORM = re.compile(r"hip|rocm|xpu|musa|npu|cpu|gfx", re.IGNORECASE)


def edited(source: Source, replacements: Iterable[Replacement], note: str) -> Edited:
    """The source with the replacements made, formatted; raises NotApplicable where one falls outside the regions."""
    try:
        ordered = in_order(replacements)
    except OverlapError as error:
        raise NotApplicable("two of the edits would change the same characters") from error
    regions = region_spans(source.text)
    for item in ordered:
        if regions and not any(start <= item.start and item.end <= end for start, end in regions):
            raise NotApplicable("the edit falls outside the regions, which is all a patch may change")
    text = replaced(source.text, ordered)
    lines = [source.text.count("\n", 0, at) + 1 for item in ordered for at in (item.start, item.end)]
    return Edited(source=format_changed(source.text, text), note=note, anchor=(min(lines), max(lines)))


def overlap(first: Sequence[Replacement], second: Sequence[Replacement]) -> bool:
    """Whether two sets of replacements touch a common character or insert at one place."""
    return any(a.start <= b.end and b.start <= a.end for a in first for b in second)


def kernel_parts(subject: Subject) -> tuple[Source, Function]:
    """The subject read, and its kernel."""
    source = Source(subject.source)
    if subject.kernel not in source.functions:
        raise NotApplicable(f"no function {subject.kernel} at the top level")
    return source, source.functions[subject.kernel]


def without(source: Source, statement: ast.stmt) -> Replacement:
    """The edit that takes a statement's lines out."""
    start, end = source.span(statement)
    return Replacement(source.text.rindex("\n", 0, start) + 1, source.text.index("\n", end) + 1, "")


def has_loop(function: Function) -> bool:
    """Whether a program may go over its data in pieces: then what it moves says little of what it holds."""
    return any(isinstance(node, ast.For | ast.While) for node in ast.walk(function))


def assignments(node: ast.AST, name: str) -> list[ast.Assign | ast.AnnAssign | ast.AugAssign]:
    """Statements that bind a name by itself, in source order."""
    found: list[ast.Assign | ast.AnnAssign | ast.AugAssign] = []
    for statement in ast.walk(node):
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)]) if target == name:
                found.append(statement)
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr()) if target == name:
                found.append(statement)
            case ast.AugAssign(target=ast.Name(id=target)) if target == name:
                found.append(statement)
            case _:
                continue
    return sorted(found, key=lambda statement: statement.lineno)


def blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements below a node, outermost first."""
    for inner in ast.walk(node):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(inner, field, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block
