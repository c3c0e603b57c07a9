"""What depends on what inside a kernel: which parameters a pointer is built on, and what differs between programs."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from kmaint.agent.transforms.launches import Launch
from kmaint.spans import Function, assigned, calls, constexprs, names, parameters, tl_name

ATOMICS = tuple(f"atomic_{name}" for name in ("add", "max", "min", "and", "or", "xor", "cas", "xchg"))
WRITES = ("store", *ATOMICS, "debug_barrier")
PURE = {
    "abs", "arange", "broadcast_to", "cast", "cdiv", "clamp", "cos", "exp", "exp2", "floor", "fma", "full", "log",
    "log2", "max_contiguous", "maximum", "minimum", "multiple_of", "num_programs", "program_id", "rsqrt", "sigmoid",
    "sin", "sqrt", "where", "zeros",
}  # fmt: skip
PYTHON = {"abs", "bool", "float", "int", "max", "min", "print", "range"}


def pointer_parameters(kernel: Function) -> list[str]:
    """Parameters that a pointer of some load or store is built on, followed through assignments."""
    found: set[str] = set()
    for call in calls(kernel, "load", "store", *ATOMICS):
        found |= roots(kernel, call.args[0]) if call.args else set()
    return [name for name in parameters(kernel) if name in found and name not in constexprs(kernel)]


def roots(kernel: Function, pointer: ast.expr) -> set[str]:
    """Names at the left end of a pointer's sum, and of what they are bound to."""
    found = _base(pointer)
    seen: set[str] = set()
    while found - seen:
        name = (found - seen).pop()
        seen.add(name)
        for node in ast.walk(kernel):
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    found |= _base(value)
                case _:
                    continue
    return found


def _base(pointer: ast.expr) -> set[str]:
    """Names at the left end of a sum: `a_ptr` of `a_ptr + row * stride + columns`."""
    while isinstance(pointer, ast.BinOp) and isinstance(pointer.op, ast.Add | ast.Sub):
        pointer = pointer.left
    return names(pointer) if isinstance(pointer, ast.Name) else set()


def depends_on_program(kernel: Function) -> set[str]:
    """Names whose value differs between programs, followed through assignments to a fixed point."""
    found: set[str] = set()
    while True:
        more = {
            name
            for node in ast.walk(kernel)
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None
            if names(node.value) & found or any(tl_name(inner) == "program_id" for inner in ast.walk(node.value))
            for name in assigned(node)
        }
        if more <= found:
            return found
        found |= more


def is_pure(value: ast.expr) -> bool:
    """Whether an expression reads no memory and writes none: arithmetic, casts and the pure functions of tl."""
    return all(
        tl_name(call) in PURE
        or (isinstance(call.func, ast.Attribute) and call.func.attr == "to")
        or (isinstance(call.func, ast.Name) and call.func.id in PYTHON)
        for call in ast.walk(value)
        if isinstance(call, ast.Call)
    )


def calls_unknown(statement: ast.stmt, functions: Mapping[str, Function]) -> bool:
    """Whether a statement calls something by name that may write: not of this file, or of this file and writing."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in PYTHON:
            helper = functions.get(node.func.id)
            if helper is None or any(calls(helper, *WRITES)):
                return True
            inner = [call.func for call in ast.walk(helper) if isinstance(call, ast.Call)]
            if any(isinstance(name, ast.Name) and name.id not in PYTHON for name in inner):
                return True
    return False


def kept_apart(found: list[Launch], loaded: set[str], stored: set[str]) -> bool:
    """Whether pointers are told apart by their text: other parameters, and at each launch other arguments."""
    if not loaded or not stored or loaded & stored:
        return False
    for launch in found:
        given = [
            {ast.unparse(launch.arguments[name]) for name in side if name in launch.arguments}
            for side in (loaded, stored)
        ]
        if given[0] & given[1]:
            return False
    return True
