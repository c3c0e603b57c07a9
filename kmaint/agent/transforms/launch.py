"""Launch parameters: warps, pipeline stages and the block sizes that no shape fixes."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterator, Sequence

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.launches import (
    Launch,
    all_launches,
    default_values,
    lacks,
    launches,
    option_values,
    unpacked_values,
)
from kmaint.agent.transforms.source import edited, has_loop, kernel_parts, overlap
from kmaint.agent.transforms.space import Knob, Setting, Space
from kmaint.spans import Function, Replacement, Source, argument, calls, constexprs

WARPS = (4, 8, 2, 1, 16)
STAGES = (3, 2, 1, 4, 5)
SCALES = (2.0, 0.5, 4.0, 0.25, 8.0)
DEFAULTS = {"num_warps": 4, "num_stages": 3}
"""Triton's own on CUDA: written out, they are no variant."""
PRODUCT = re.compile(r"\d+( \* \d+)*")
MAX_VARIANTS = 40
LARGEST_BLOCK = 1 << 15


def apply(subject: Subject) -> list[Edited]:
    """Single changes first, in the order worth trying, then pairs of changes to different knobs."""
    source, settings = _settings(subject)
    chosen = itertools.islice(itertools.chain(((item,) for item in settings), _pairs(settings)), MAX_VARIANTS)
    return [
        edited(source, [edit for item in group for edit in item.replacements], ", ".join(item.note for item in group))
        for group in chosen
    ]


def launch_space(subject: Subject) -> Space:
    """The grid that `apply` lists the beginnings of."""
    source, settings = _settings(subject)
    knobs: dict[str, list[Setting]] = {}
    for setting in settings:
        knobs.setdefault(setting.knob, []).append(setting)
    return Space(source=source, knobs=tuple(_knob(subject, name, found) for name, found in knobs.items()))


def _knob(subject: Subject, name: str, found: Sequence[Setting]) -> Knob:
    """A knob with what is written today among its settings; of two that come to one value, a heuristic stays."""
    today = Setting(knob=name, value=_today(subject, name, found), note="", replacements=())
    numbers = sorted(found, key=lambda setting: " becomes " in setting.note)
    settings = {setting.value: setting for setting in (*numbers, today)}
    ordered = tuple(settings[value] for value in sorted(settings))
    return Knob(name=name, settings=ordered, written=ordered.index(today))


def _today(subject: Subject, name: str, found: Sequence[Setting]) -> int:
    """The value in the source where it is a number; where it is computed, what the compiler saw, or Triton's own."""
    if name in DEFAULTS and any(" becomes " in setting.note for setting in found):
        return _compiled(subject, name)
    texts = {subject.source[edit.start : edit.end] for setting in found for edit in setting.replacements}
    written = {_product(ast.parse(text, mode="eval").body) for text in texts if PRODUCT.fullmatch(text)}
    if len(written) == 1:
        return next(iter(written))
    return _compiled(subject, name)


def _compiled(subject: Subject, option: str) -> int:
    """An option as the compiler saw it, else Triton's own default; 1 for anything else."""
    if subject.resources is not None and option in DEFAULTS:
        return subject.resources.num_warps if option == "num_warps" else subject.resources.num_stages
    return DEFAULTS.get(option, 1)


def _settings(subject: Subject) -> tuple[Source, list[Setting]]:
    source, kernel = kernel_parts(subject)
    found = launches(source, subject)
    if any(isinstance(item, ast.Call) and "autotune" in ast.unparse(item) for item in kernel.decorator_list):
        raise NotApplicable("the kernel is autotuned: its configurations choose the launch parameters")
    looping = has_loop(kernel)
    warps = tuple(value for value in WARPS if looping or subject.suits(rows=1, warps=value))
    settings = [
        *_option_settings(source, subject, found, "num_warps", warps),
        *_block_settings(source, subject, found, kernel),
    ]
    if looping:
        settings += _option_settings(source, subject, found, "num_stages", STAGES)
    if not settings:
        raise NotApplicable("no launch parameter is written where it can be changed")
    return source, settings


def _pairs(settings: list[Setting]) -> Iterator[tuple[Setting, Setting]]:
    """Two knobs at once, those with the smaller changes first."""
    ranked = sorted(itertools.combinations(enumerate(settings), 2), key=lambda pair: pair[0][0] + pair[1][0])
    for (_, first), (_, second) in ranked:
        if first.knob != second.knob and not overlap(first.replacements, second.replacements):
            yield first, second


def _option_settings(
    source: Source, subject: Subject, found: list[Launch], option: str, values: tuple[int, ...]
) -> Iterator[Setting]:
    """`num_warps` or `num_stages` at every launch of the kernel; an option that is absent becomes a keyword."""
    sites = [_option_site(source, launch, option) for launch in found]
    if any(site is None for site in sites):
        return
    for value in values:
        edits = [edit for site in sites if site is not None for edit in site(value)]
        if edits and not all(source.text[edit.start : edit.end] == edit.text for edit in edits):
            edits = list(dict.fromkeys(edits))
            yield Setting(knob=option, value=value, note=f"{option}={value}", replacements=tuple(edits))
    for launch in found:
        yield from _heuristic_settings(source, launch, option, _compiled(subject, option))


Site = Callable[[int], list[Replacement]]


def _option_site(source: Source, launch: Launch, option: str) -> Site | None:
    """The edit that sets an option, as a function of the new value; None where it cannot be told."""
    values = _option_values(launch, option)
    if values:
        if len(values) > 1:
            return None
        written = values[0]
        unset = isinstance(written, ast.Constant) and written.value is None
        return lambda value: [] if unset and value == DEFAULTS[option] else [source.replace(written, str(value))]
    if option in launch.arguments or not all(lacks(launch.host, item, option) for item in launch.options):
        return None
    return lambda value: [] if value == DEFAULTS[option] else [source.add_argument(launch.call, f"{option}={value}")]


def _option_values(launch: Launch, option: str) -> list[ast.expr]:
    """The expressions behind an option of a launch, through one local variable.

    The variable itself where it is one of a tuple: another value is written at the launch then.
    """
    given = [launch.arguments[option]] if option in launch.arguments else []
    for item in launch.options:
        given += option_values(launch.host, item, option)
    if len(given) == 1 and isinstance(given[0], ast.Name) and not unpacked_values(launch.host, given[0].id):
        return default_values(launch.host, given[0].id)
    return given


def _heuristic_settings(source: Source, launch: Launch, option: str, today: int) -> Iterator[Setting]:
    """A heuristic such as `cdiv(n, 256)` or `n // 32` kept, with half or twice the work for each warp.

    Its value is what it comes to where it gives `today` as it is.
    """
    values = _option_values(launch, option)
    if len(values) != 1:
        return
    for divisor, number in _divisors(values[0]):
        for scaled in (number * 2, number // 2, number * 4):
            note = f"{option}: {source.of(divisor)} becomes {scaled}"
            edits = (source.replace(divisor, str(scaled)),)
            yield Setting(knob=option, value=max(today * number // scaled, 1), note=note, replacements=edits)


def _divisors(value: ast.expr) -> Iterator[tuple[ast.expr, int]]:
    for node in ast.walk(value):
        match node:
            case ast.BinOp(op=ast.FloorDiv(), right=right) | ast.Call(func=ast.Attribute(attr="cdiv"), args=[_, right]):
                number = _product(right)
                if number > 1:
                    yield right, number
            case _:
                continue


def _product(node: ast.expr) -> int:
    """The value of `256` or `8 * 32`; 0 for anything else."""
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.BinOp(op=ast.Mult(), left=left, right=right):
            return _product(left) * _product(right)
        case _:
            return 0


def _block_settings(source: Source, subject: Subject, found: list[Launch], kernel: Function) -> list[Setting]:
    """Power-of-two neighbours of each block size, those twice and half as large first."""
    leaves: list[tuple[str, ast.Constant]] = []
    for name in sorted(_free_blocks(kernel)):
        sites = (leaf for launch in found for leaf in _leaves(source, launch.host, launch.arguments.get(name)))
        leaves += [(name, leaf) for leaf in dict.fromkeys(sites)]
    settings = []
    # tl.dot takes no side shorter than 16.
    smallest = 16 if any(calls(kernel, "dot")) else 1
    for scale, (name, leaf) in itertools.product(SCALES, leaves):
        assert isinstance(leaf.value, int)
        value = int(leaf.value * scale)
        if smallest <= value <= LARGEST_BLOCK:
            edits = [_set_leaf(source, leaf, value), *_twins(source, subject, name, leaf, value)]
            note = f"{name} {leaf.value} -> {value} (line {leaf.lineno})"
            knob = f"{name} {leaf.lineno}:{leaf.col_offset}"
            settings.append(Setting(knob=knob, value=value, note=note, replacements=tuple(dict.fromkeys(edits))))
    return settings


def _set_leaf(source: Source, leaf: ast.Constant, value: int) -> Replacement:
    """The number changed; a choice whose two branches become the same number gives way to the number."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.IfExp) and leaf in (node.body, node.orelse):
            other = node.orelse if leaf is node.body else node.body
            if isinstance(other, ast.Constant) and other.value == value:
                return source.replace(node, str(value))
    return source.replace(leaf, str(value))


def _free_blocks(kernel: Function) -> set[str]:
    """Constexpr parameters that size a tile or step a loop: `tl.arange(0, B)` or `range(a, b, B)`."""
    found = set()
    for call in calls(kernel, "arange"):
        found |= {end.id for end in call.args[1:2] if isinstance(end, ast.Name)}
    for loop in ast.walk(kernel):
        match loop:
            case ast.For(iter=ast.Call(args=[_, _, ast.Name(id=step)])):
                found.add(step)
            case _:
                continue
    return found & constexprs(kernel)


def _leaves(source: Source, host: Function, value: ast.expr | None, *, depth: int = 0) -> Iterator[ast.Constant]:
    """The powers of two that a block size is chosen from; nothing where a shape has a say without a cap."""
    if depth > 4:
        return
    match value:
        case ast.Constant(value=int(number)) if number > 1 and number & (number - 1) == 0:
            yield value
        case ast.IfExp(body=body, orelse=orelse):
            yield from _leaves(source, host, body, depth=depth + 1)
            yield from _leaves(source, host, orelse, depth=depth + 1)
        case ast.Call(func=ast.Name(id="min"), args=arguments):
            for item in arguments:
                if isinstance(item, ast.Constant):
                    yield from _leaves(source, host, item, depth=depth + 1)
        case ast.Call(func=ast.Name(id=name)) if name in source.functions:
            callee = source.functions[name]
            for statement in ast.walk(callee):
                if isinstance(statement, ast.Return):
                    yield from _leaves(source, callee, statement.value, depth=depth + 1)
        case ast.Name(id=name):
            for item in default_values(host, name) or unpacked_values(host, name):
                yield from _leaves(source, host, item, depth=depth + 1)
        case _:
            return


def _twins(source: Source, subject: Subject, name: str, leaf: ast.Constant, value: int) -> list[Replacement]:
    """The same number where it must stay the same: in other launches' argument of that name, and in the grid."""
    edits = []
    for launch in all_launches(source, subject.entry):
        given = launch.arguments.get(name)
        if given is None or not any(inner is leaf for inner in ast.walk(launch.host)):
            continue
        if isinstance(given, ast.Constant) and given.value == leaf.value:
            edits.append(source.replace(given, str(value)))
        for node in ast.walk(launch.grid):
            match node:
                case ast.Call(func=ast.Attribute(attr="cdiv")) if given is leaf:
                    divisor = argument(node, 1, "div")
                    if isinstance(divisor, ast.Constant) and divisor.value == leaf.value:
                        edits.append(source.replace(divisor, str(value)))
    return edits


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < n
    tl.store(y_ptr + offsets, 2.0 * tl.load(x_ptr + offsets, mask=mask), mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    BLOCK = 256
    kernel[(triton.cdiv(x.numel(), BLOCK),)](x, y, x.numel(), BLOCK=BLOCK, num_warps=8)
    return y
"""

LAUNCH = Transform(
    name="launch_parameters",
    why="Warps, pipeline stages and block sizes chosen for another GPU or another shape leave an SM idle or spilling.",
    precondition="The entry launches the kernel in this file, and at least one parameter is a number in the source.",
    addresses=("latency", "occupancy", "memory"),
    rounding=True,
    before=BEFORE,
    after=BEFORE.replace("num_warps=8", "num_warps=4"),
    apply=apply,
)
