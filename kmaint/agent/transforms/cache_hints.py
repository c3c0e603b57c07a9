"""Cache hints: what is touched once leaves the cache first, what every program reads stays."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.dependence import depends_on_program
from kmaint.agent.transforms.ranks import Ranks
from kmaint.agent.transforms.source import edited, kernel_parts
from kmaint.spans import Function, Replacement, Source, argument, assigned, calls, names


def apply(subject: Subject) -> list[Edited]:
    """Streaming stores, streaming loads, both, and loads that every program shares; tiles only."""
    source, kernel = kernel_parts(subject)
    own = depends_on_program(kernel)
    ranks = Ranks(kernel)
    loads = [call for call in calls(kernel, "load") if _is_bare_tile(call, ranks)]
    stores = [call for call in calls(kernel, "store") if _is_bare_tile(call, ranks)]
    mine = [call for call in loads if names(call.args[0]) & own and not _in_loop_without(kernel, call)]
    shared = [call for call in loads if not names(call.args[0]) & own]
    streaming = [source.add_argument(call, 'cache_modifier=".cs"') for call in stores]
    leaving = [_policy(source, call, "evict_first") for call in mine]
    staying = [_policy(source, call, "evict_last") for call in shared]
    choices: list[tuple[list[Replacement], str]] = [
        (streaming, "stores stream past the cache"),
        (leaving, "loads of the program's own data leave the cache first"),
        ([*streaming, *leaving] if streaming and leaving else [], "loads and stores of own data leave the cache first"),
        (staying if mine else [], "loads that every program shares stay in the cache"),
    ]
    variants = [edited(source, edits, note) for edits, note in choices if edits]
    if not variants:
        raise NotApplicable("no load or store of a tile without a cache hint")
    return variants


def _policy(source: Source, call: ast.Call, policy: str) -> Replacement:
    return source.add_argument(call, f'eviction_policy="{policy}"')


def _is_bare_tile(call: ast.Call, ranks: Ranks) -> bool:
    pointer = argument(call, 0, "pointer")
    hinted = {keyword.arg for keyword in call.keywords} & {"cache_modifier", "eviction_policy", "volatile"}
    return bool(call.args) and pointer is not None and not hinted and ranks.of(pointer) != 0


def _in_loop_without(kernel: Function, call: ast.Call) -> bool:
    """Whether a load is repeated by a loop that does not move its pointer: then it is no stream."""
    for loop in ast.walk(kernel):
        if isinstance(loop, (ast.For, ast.While)) and any(node is call for node in ast.walk(loop)):
            return not names(call.args[0]) & assigned(loop)
    return False


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < n
    x = tl.load(x_ptr + offsets, mask=mask)
    tl.store(y_ptr + offsets, x * 2.0, mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    kernel[(triton.cdiv(x.numel(), 256),)](x, y, x.numel(), BLOCK=256)
    return y
"""

CACHE_HINTS = Transform(
    name="cache_hints",
    why="Data touched once pushes out of the L2 what other programs, or the next kernel, still need.",
    precondition="A tile is loaded or stored without a hint; what depends on the program index is taken as its own.",
    addresses=("memory",),
    rounding=False,
    before=BEFORE,
    after=BEFORE.replace("x * 2.0, mask=mask)", 'x * 2.0, mask=mask, cache_modifier=".cs")'),
    apply=apply,
)
