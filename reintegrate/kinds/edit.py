"""An edit in place: where the winner is as good everywhere and takes all that the original takes."""

from __future__ import annotations

import ast
from collections import Counter

from kmaint.folder import KERNEL, split_regions
from kmaint.records.change import Patch
from reintegrate.kinds.conditions import defaults, fixed_values
from reintegrate.kinds.win import Declined, Win
from reintegrate.patch import patch_of

ONLY_ON = ("inline_asm_elementwise", "make_tensor_descriptor", "_experimental_make_tensor_descriptor", "gdc_wait")
"""What triton.language has for some architectures only."""


def edit_patch(win: Win) -> Patch | Declined:
    """The regions that it changes, in the place of what they were."""
    if reason := why_not(win, _narrower(win)):
        return Declined(reason)
    found = patch_of(win.harness, win.source)
    return Patch(edits=found.edits, files=found.files, kind="edit", reason=told(win))


def why_not(win: Win, narrower: str) -> str:
    """Why the shipped code has to stay, `narrower` saying what the winner does not take; empty where it need not."""
    if lost := win.lost():
        worst = min(lost, key=lambda one: one.speedup.ratio)
        return f"on {worst.workload} it is {worst.speedup.ratio:.2f}x as fast as the original"
    return narrower or (_checked_only(win) if win.timing is not None else "")


def told(win: Win) -> str:
    """Why it may take the place of the original."""
    if win.timing is None:
        return "not timed, so nothing is known of where it would lose: an edit is the smallest change"
    return f"on none of {len(win.timings)} timed workloads is it slower, and it takes all that the original takes"


def _checked_only(win: Win) -> str:
    """With which one value an argument was checked that every caller has to give; empty where there is none such."""
    if win.harness.level != "launcher":
        return ""
    fixed = fixed_values(win.harness)
    optional = defaults(win) if fixed else {}
    required = [(name, value) for name, value in fixed if name not in optional]
    return f"it was checked with {', '.join(f'{name}={value}' for name, value in required)} only" if required else ""


def _narrower(win: Win) -> str:
    """Why the winner takes less than the original does, in one line; empty where nothing says so."""
    before = split_regions((win.harness.folder / KERNEL).read_text())
    after = split_regions(win.source)
    known = [use for text in before.values() for use in _uses(text)]
    for key in before:
        old, new = _demands(before[key]), _demands(after[key])
        for demand in new - old:
            return f"{key[1]} demands {demand!r}, which the original does not"
        for name, conditions in _uses(after[key]):
            if not any(name == one and asked <= conditions for one, asked in known):
                return f"{key[1]} uses {name}, which not every architecture has"
    return ""


def _uses(text: str) -> list[tuple[str, frozenset[str]]]:
    """What of `ONLY_ON` the code names, each with the conditions under which it comes by it."""
    found: list[tuple[str, frozenset[str]]] = []

    def visit(node: ast.AST, conditions: frozenset[str]) -> None:
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                visit(test, conditions)
                for branch, said in ((body, ast.unparse(test)), (orelse, f"not ({ast.unparse(test)})")):
                    for statement in branch:
                        visit(statement, conditions | {said})
                return
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in ONLY_ON:
                found.append((name, conditions))
            case _:
                pass
        for child in ast.iter_child_nodes(node):
            visit(child, conditions)

    visit(ast.parse(text), frozenset())
    return found


def _demands(text: str) -> Counter[str]:
    """What the code refuses to run without: its assertions, and the conditions under which it raises."""
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Assert(test=test):
                found.append(ast.unparse(test))
            case ast.If(test=test, body=[ast.Raise(), *_]):
                found.append(f"not ({ast.unparse(test)})")
            case ast.Call(func=ast.Attribute(attr="static_assert"), args=[test, *_]):
                found.append(ast.unparse(test))
            case _:
                continue
    return Counter(found)
