"""Which functions of a file are tests and benchmarks, and with which parameters they are run."""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import torch

from .statements import Program
from .values import Class, Ended, Function, Instance, Module, Parameters, Scope, Unknown, Value

MOST_RUNS = 32
"""Combinations of parameters of one test; chosen so that every value of each parameter comes up as evenly as can be."""

MOST_FIXTURES = 4
"""How deep fixtures that need fixtures are followed."""


@dataclass(frozen=True)
class Entry:
    """A function to run with each of `runs`, parameters by name. `owner` is the test class that it is a method of."""

    function: Function
    owner: Class | None
    runs: list[dict[str, Value]]
    benchmark: bool

    def label(self, run: dict[str, Value]) -> str:
        """`test_x[num_tokens=7-dtype=bfloat16]`."""
        shown = "-".join(f"{name}={_shown(value)}" for name, value in run.items() if _shown(value))
        return f"{self.function.id}[{shown}]" if shown else self.function.id


def _shown(value: Value) -> str:
    match value:
        case torch.dtype():
            return str(value).removeprefix("torch.")
        case bool() | int() | float() | str() | None:
            return str(value)
        case list() | tuple():
            return "x".join(_shown(one) for one in value)
        case _:
            return ""


def entries(program: Program, module: Module, wanted: str = "") -> list[Entry]:
    """Tests, methods of test classes and benchmarks, in the order of the file; with `wanted` those of that name.

    Where there is none, but a program that may use what is wanted, the program is the entry.
    """
    scope = program.module_scope(module)
    found = [
        entry
        for node, owner, decorators in _definitions(module, scope)
        if wanted in ("", node.name, *([owner.name, f"{owner.name}.{node.name}"] if owner else []))
        and (entry := _entry(program, node, scope, owner, decorators)) is not None
    ]
    block = None if found else _program(module)
    return found if block is None else [Entry(program.function(block, scope, "<module>"), None, [{}], benchmark=True)]


def _definitions(module: Module, scope: Scope) -> Iterator[tuple[ast.FunctionDef, Class | None, list[ast.expr]]]:
    """Functions and methods of the file, with the class and its decorators."""
    for node in module.body:
        match node:
            case ast.FunctionDef():
                yield node, None, []
            case ast.ClassDef(name=name) if isinstance(owner := scope.names.get(name), Class):
                methods = (child for child in node.body if isinstance(child, ast.FunctionDef))
                yield from ((child, owner, node.decorator_list) for child in methods)
            case _:
                pass


def _program(module: Module) -> ast.FunctionDef | None:
    """The body of `if __name__ == "__main__"` as a function."""
    for node in module.body:
        match node:
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
                return ast.FunctionDef(name="<module>", args=nothing, body=node.body, decorator_list=[])
            case _:
                pass
    return None


def _entry(
    program: Program, node: ast.FunctionDef, scope: Scope, owner: Class | None, outer: list[ast.expr]
) -> Entry | None:
    function = (owner.scope if owner else scope).names.get(node.name)
    if not isinstance(function, Function):
        return None
    axes: list[list[dict[str, Value]]] = []
    benchmark = False
    program.steps = 0
    try:
        for decorator in (*node.decorator_list, *outer):
            name = ast.unparse(decorator.func) if isinstance(decorator, ast.Call) else ""
            if name.endswith("parametrize"):
                axes.append(_parametrized(program, decorator, scope))
            elif name.endswith("perf_report"):
                benchmark = True
                axes.extend(_reported(program, decorator, scope))
    except Ended:
        return None
    if not benchmark and not node.name.startswith("test"):
        return None
    names = function.parameters()[1 if owner else 0 :]
    given = {name for axis in axes for one in axis for name in one}
    axes.extend(varied for name in names if name not in given and (varied := fixture(program, name, scope)))
    return Entry(function, owner, spread([axis for axis in axes if axis]), benchmark)


def _parametrized(program: Program, decorator: ast.expr, scope: Scope) -> list[dict[str, Value]]:
    """`parametrize("a, b", [(1, 2), ...])` as one binding of its names for each set of values."""
    assert isinstance(decorator, ast.Call)
    arguments, named = program.arguments(decorator, scope)
    given = [*arguments, *(named[key] for key in ("argnames", "argvalues") if key in named)]
    if len(given) < 2:
        return []
    names = [part.strip() for part in given[0].split(",")] if isinstance(given[0], str) else program.items(given[0])
    names = [name for name in names if isinstance(name, str) and name]
    found = []
    for one in program.items(given[1]):
        values = one.values if isinstance(one, Parameters) else (one,) if len(names) == 1 else program.items(one)
        if len(values) == len(names):
            found.append(dict(zip(names, values, strict=True)))
    return found or [dict.fromkeys(names, Unknown("parameters that are computed elsewhere"))]


def _reported(program: Program, decorator: ast.expr, scope: Scope) -> list[list[dict[str, Value]]]:
    """The axes of a `triton.testing.Benchmark`: its sizes, its line, and its fixed arguments."""
    assert isinstance(decorator, ast.Call)
    inner = decorator.args[0] if decorator.args else None
    if isinstance(inner, ast.List) and inner.elts:
        inner = inner.elts[0]
    if not isinstance(inner, ast.Call):
        return []
    _, named = program.arguments(inner, scope)
    names = [name for name in program.items(named.get("x_names")) if isinstance(name, str)]
    sizes = []
    for one in program.items(named.get("x_vals")):
        values = program.items(one) if isinstance(one, (list, tuple)) else [one] * len(names)
        if len(values) == len(names):
            sizes.append(dict(zip(names, values, strict=True)))
    lines = [{str(named.get("line_arg")): value} for value in program.items(named.get("line_vals"))]
    fixed = named.get("args")
    return [sizes, lines, [fixed] if isinstance(fixed, dict) and fixed else []]


def fixture(program: Program, name: str, scope: Scope, depth: int = 0) -> list[dict[str, Value]]:
    """What a fixture of the file, or of a conftest.py above it, gives a test; nothing where none has that name."""
    found = next((one for home in _homes(program, scope) if (one := home.names.get(name)) is not None), None)
    if not isinstance(found, Function) or not isinstance(found.node, ast.FunctionDef) or depth > MOST_FIXTURES:
        return []
    decorators = [one for one in found.node.decorator_list if "fixture" in ast.unparse(one)]
    if not decorators:
        return []
    params: Value = [None]
    if isinstance(decorators[0], ast.Call):
        _, named = program.arguments(decorators[0], found.scope)
        params = named.get("params", params)
    needed: dict[str, Value] = {}
    for other in found.parameters():
        for first in fixture(program, other, scope, depth + 1)[:1] if other not in ("request", name) else []:
            needed |= first
    given = []
    for one in program.items(params):
        request = {"request": Instance(None, {"param": one})} if "request" in found.parameters() else {}
        try:
            value = program.follow(found, [], {**needed, **request})
            given.append({name: next(value, None) if isinstance(value, Iterator) else value})
        except Ended:
            continue
    return given


def _homes(program: Program, scope: Scope) -> Iterator[Scope]:
    """Where a test's fixtures may stand, the nearest first."""
    yield scope
    folder = PurePosixPath(scope.module.path).parent
    for above in (folder, *folder.parents):
        module = program.library.at((above / "conftest.py").as_posix())
        if module is not None:
            yield program.module_scope(module)


def spread(axes: list[list[dict[str, Value]]]) -> list[dict[str, Value]]:
    """All combinations of the axes' bindings, or MOST_RUNS of them that use each binding as evenly as can be."""
    total = math.prod(len(axis) for axis in axes)
    if total <= MOST_RUNS:
        runs: list[dict[str, Value]] = [{}]
        for axis in axes:
            runs = [{**run, **one} for run in runs for one in axis]
        return runs
    chance = random.Random(total)  # noqa: S311 - which combinations, the same in every process
    used = [[0] * len(axis) for axis in axes]
    chosen: dict[tuple[int, ...], dict[str, Value]] = {}
    for _ in range(4 * MOST_RUNS):
        picked = []
        for counts in used:
            least = min(counts)
            picked.append(chance.choice([i for i, count in enumerate(counts) if count == least]))
        for counts, i in zip(used, picked, strict=True):
            counts[i] += 1
        key = tuple(picked)
        if key not in chosen:
            chosen[key] = {name: v for axis, i in zip(axes, picked, strict=True) for name, v in axis[i].items()}
        if len(chosen) == MOST_RUNS:
            break
    return list(chosen.values())
