"""Finds the launches of a kernel in the host code, and follows what they pass back to where it is written."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.source import OTHER_PLATFORM, assignments
from kmaint.spans import Function, Source, parameters, reachable


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One `kernel[grid](...)`: the host function it stands in, and each kernel parameter's argument."""

    host: Function
    kernel: str
    call: ast.Call
    grid: ast.expr
    arguments: dict[str, ast.expr]

    @property
    def options(self) -> list[ast.expr]:
        """What is unpacked into the call by `**`."""
        return [keyword.value for keyword in self.call.keywords if keyword.arg is None]


def launches(source: Source, subject: Subject) -> list[Launch]:
    """Launches of the subject's kernel reachable from its entry; raises NotApplicable when there is none."""
    found = [launch for launch in all_launches(source, subject.entry) if launch.kernel == subject.kernel]
    if not found:
        raise NotApplicable(f"{subject.entry} does not launch {subject.kernel}[grid](...)")
    return found


def all_launches(source: Source, entry: str) -> list[Launch]:
    """Every launch reachable from the entry inside this file, in source order."""
    found = []
    for host in reached(source, entry):
        for call in ast.walk(host):
            match call:
                case ast.Call(func=ast.Subscript(value=ast.Name(id=kernel), slice=grid)) if kernel in source.functions:
                    arguments = _bound(call, source.functions[kernel])
                    found.append(Launch(host=host, kernel=kernel, call=call, grid=grid, arguments=arguments))
    return sorted(found, key=lambda launch: launch.call.lineno)


def reached(source: Source, entry: str) -> list[Function]:
    """The entry and the functions of this file that it calls, directly or not."""
    if entry not in source.functions:
        raise NotApplicable(f"no function {entry} at the top level")
    return reachable(source, entry)


def default_values(host: Function, name: str) -> list[ast.expr]:
    """A local variable's unconditional value, or those of the branches that are not for another platform."""
    every = [item for item in assignments(host, name) if not isinstance(item, ast.AugAssign)]
    plain = [item for item in every if item in host.body]
    if plain:
        return [value for item in plain[-1:] if (value := item.value) is not None]
    elsewhere = {item for item in every for branch in _other_platform(host) if item in branch}
    return [value for item in every if item not in elsewhere and (value := item.value) is not None]


def unpacked_values(host: Function, name: str) -> list[ast.expr]:
    """What a local variable gets from tuples that are taken apart at the top level of the function, last of all."""
    found: list[ast.expr] = []
    for statement in host.body:
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value) if not _has_rest(targets):
                places = [n for n, item in enumerate(targets) if isinstance(item, ast.Name) and item.id == name]
                if places:
                    found = [part for tuple_ in _branches(value) for part in tuple_.elts[places[0] : places[0] + 1]]
            case _:
                continue
    return found


def _branches(value: ast.expr) -> Iterator[ast.Tuple]:
    """The tuples that a choice is made from."""
    match value:
        case ast.Tuple(elts=parts) if not _has_rest(parts):
            yield value
        case ast.IfExp(body=body, orelse=orelse):
            yield from _branches(body)
            yield from _branches(orelse)
        case _:
            return


def _has_rest(parts: Sequence[ast.expr]) -> bool:
    return any(isinstance(part, ast.Starred) for part in parts)


def lacks(host: Function, options: ast.expr, key: str) -> bool:
    """Whether what is unpacked by `**options` is written out in the function, every time, and never has the key."""
    if not isinstance(options, ast.Name):
        return False
    bound = assignments(host, options.id)
    keys = [name for item in bound for name in _keys(item.value)]
    asked = any(
        isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == options.id
        for node in ast.walk(host)
    )
    return bool(bound) and not asked and None not in keys and key not in keys


def _keys(value: ast.expr | None) -> Iterator[str | None]:
    """The keys of a literal dict, or of the two that a choice is between; None for whatever is no such key."""
    match value:
        case ast.Dict(keys=keys):
            for key in keys:
                yield key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
        case ast.IfExp(body=body, orelse=orelse):
            yield from _keys(body)
            yield from _keys(orelse)
        case _:
            yield None


def option_values(host: Function, options: ast.expr, key: str) -> list[ast.expr]:
    """What `**options` holds under a key: in a literal dict of the function, or assigned by subscript."""
    if not isinstance(options, ast.Name):
        return []
    found: list[ast.expr] = []
    for statement in ast.walk(host):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(keys=keys, values=values)) if (
                name == options.id
            ):
                found += [
                    value
                    for item, value in zip(keys, values, strict=True)
                    if isinstance(item, ast.Constant) and item.value == key
                ]
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=item))], value=value
            ) if name == options.id and item == key:
                found.append(value)
    return found


def resolve_grid(launch: Launch) -> ast.Tuple | None:
    """The grid as a tuple, through a local variable or a lambda; None where it is computed otherwise."""
    grid: ast.expr = launch.grid
    if isinstance(grid, ast.Name):
        values = default_values(launch.host, grid.id)
        if len(values) != 1:
            return None
        grid = values[0]
    if isinstance(grid, ast.Lambda):
        grid = grid.body
    return grid if isinstance(grid, ast.Tuple) else None


def _bound(call: ast.Call, kernel: Function) -> dict[str, ast.expr]:
    """What can be told: where a sequence of any length is unpacked, what stands before it, behind it, and keywords."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    unpacked = [place for place, value in enumerate(call.args) if isinstance(value, ast.Starred)]
    if not unpacked:
        return dict(zip(parameters(kernel), call.args, strict=False)) | keywords
    bound = dict(zip(parameters(kernel), call.args[: unpacked[0]], strict=False)) | keywords
    behind = call.args[unpacked[-1] + 1 :]
    spread = any(keyword.arg is None for keyword in call.keywords)  # whose names may be any
    if behind and not spread and (by_place := _by_place(kernel, set(keywords))):
        bound |= dict(zip(by_place[-len(behind) :], behind, strict=False))
    return bound


def _by_place(kernel: Function, keywords: set[str]) -> list[str]:
    """The parameters that a call with these keywords has to give by place; none where it may leave one of them out."""
    every = parameters(kernel)
    first = next((place for place, name in enumerate(every) if name in keywords), len(every))
    given = _given_by_triton(kernel)
    if given is None:
        return []
    found = [name for name in every[:first] if name not in given]
    with_default = set(every[len(every) - len(kernel.args.defaults) :]) if kernel.args.defaults else set()
    return [] if with_default & set(found) else found


def _given_by_triton(kernel: Function) -> set[str] | None:
    """Parameters that `triton.heuristics` or `triton.autotune` gives; None where one does not write them out."""
    found: set[str] = set()
    for decorator in kernel.decorator_list:
        if not isinstance(decorator, ast.Call) or ast.unparse(decorator.func).rpartition(".")[2] == "jit":
            continue
        keys = [key for node in ast.walk(decorator) if isinstance(node, ast.Dict) for key in node.keys]
        named = {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
        if not keys or len(named) < len({ast.unparse(key) if key else "" for key in keys}):
            return None
        found |= named
    return found


def _other_platform(host: Function) -> list[set[ast.AST]]:
    """The bodies of `if` statements that ask for a platform other than CUDA."""
    return [
        {inner for statement in node.body for inner in ast.walk(statement)}
        for node in ast.walk(host)
        if isinstance(node, ast.If) and OTHER_PLATFORM.search(ast.unparse(node.test))
    ]
