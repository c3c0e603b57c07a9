"""Sizes of models that are served, and workloads of a contract at those sizes.

Numbers are those of each model's published config.json; `None` stands where a model has no such size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kmaint.errors import HarnessError
from kmaint.expression import ITEM_BYTES, evaluate, keeps, number
from kmaint.records.workload import Axis, Binding, Contract, Workload

DECODE, PREFILL = (1, 64), (4096,)
MOST_BYTES = 4 << 30
"""Of all tensors of a workload together: a small part of any serving GPU's memory."""

MOST_WORKLOADS = 8
PAGE = 16


@dataclass(frozen=True, kw_only=True)
class Model:
    """Sizes as config.json has them; `latent` is its kv_lora_rank, `rope` its qk_rope_head_dim."""

    name: str
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    layers: int
    vocabulary: int
    experts: int | None = None
    topk: int | None = None
    expert_intermediate: int | None = None
    latent: int | None = None
    rope: int | None = None


MODELS = (
    Model(
        name="Llama 3 8B",
        hidden=4096,
        intermediate=14336,
        heads=32,
        kv_heads=8,
        head_dim=128,
        layers=32,
        vocabulary=128256,
    ),
    Model(
        name="Llama 3 70B",
        hidden=8192,
        intermediate=28672,
        heads=64,
        kv_heads=8,
        head_dim=128,
        layers=80,
        vocabulary=128256,
    ),
    Model(
        name="Qwen3 8B",
        hidden=4096,
        intermediate=12288,
        heads=32,
        kv_heads=8,
        head_dim=128,
        layers=36,
        vocabulary=151936,
    ),
    Model(
        name="Qwen3 30B-A3B",
        hidden=2048,
        intermediate=6144,
        heads=32,
        kv_heads=4,
        head_dim=128,
        layers=48,
        vocabulary=151936,
        experts=128,
        topk=8,
        expert_intermediate=768,
    ),
    Model(
        name="Qwen3 235B-A22B",
        hidden=4096,
        intermediate=12288,
        heads=64,
        kv_heads=4,
        head_dim=128,
        layers=94,
        vocabulary=151936,
        experts=128,
        topk=8,
        expert_intermediate=1536,
    ),
    Model(
        name="DeepSeek V3",
        hidden=7168,
        intermediate=18432,
        heads=128,
        kv_heads=128,
        head_dim=128,
        layers=61,
        vocabulary=129280,
        experts=256,
        topk=8,
        expert_intermediate=2048,
        latent=512,
        rope=64,
    ),
    Model(
        name="gpt-oss 20B",
        hidden=2880,
        intermediate=2880,
        heads=64,
        kv_heads=8,
        head_dim=64,
        layers=24,
        vocabulary=201088,
        experts=32,
        topk=4,
        expert_intermediate=2880,
    ),
    Model(
        name="gpt-oss 120B",
        hidden=2880,
        intermediate=2880,
        heads=64,
        kv_heads=8,
        head_dim=64,
        layers=36,
        vocabulary=201088,
        experts=128,
        topk=4,
        expert_intermediate=2880,
    ),
    Model(
        name="Mixtral 8x7B",
        hidden=4096,
        intermediate=14336,
        heads=32,
        kv_heads=8,
        head_dim=128,
        layers=32,
        vocabulary=32000,
        experts=8,
        topk=2,
        expert_intermediate=14336,
    ),
)

DIMENSIONS: tuple[tuple[str, str], ...] = (
    ("latent", r"lora_rank|latent|kv_rank"),
    ("rope", r"rope_dim|rope_head|pe_dim|rotary|^rd$"),
    ("head_dim", r"head_?(size|dim)|^hd$|^d_?(head|model_head)|^d[kv]$|^head_d"),
    ("kv_heads", r"(kv|k|v)_?heads?|^hk?v$|^nkv"),
    ("heads", r"heads?$|^h$|^hq$|num_q|^nh"),
    ("topk", r"top_?k"),
    ("experts", r"expert|^e$"),
    ("vocabulary", r"vocab"),
    ("expert_intermediate", r"moe_inter|expert_inter"),
    ("intermediate", r"inter|ffn|ff_dim|mlp"),
    ("hidden", r"hidden|^dim$|embed|^d$|^n_?cols?$|model_dim|width|feature|channels"),
    ("page", r"page|block_size"),
    ("slots", r"slot|num_blocks|num_pages|pool|cache_(rows|size)"),
    ("batch", r"batch|^b$|^bs$|num_(reqs|seqs|requests)|^nseq"),
    ("tokens", r"token|^m$|^t$|^rows?$|n_?rows|num_rows|seq"),
)
"""Which size of a model an axis of a name is; the first that matches."""

COUNTS = frozenset({"tokens", "batch", "slots", "page"})
"""Sizes that are the traffic's, not the model's."""


def model_workloads(contract: Contract) -> Iterator[Workload]:
    """The contract's cases at the sizes of models, decode before prefill; none where its axes are no model's."""
    kinds = {axis.name: dimension_of(axis.name) for axis in contract.axes}
    free = [axis for axis in contract.axes if len(axis.choices) != 1]
    sized = {axis.name for axis in free if kinds[axis.name] is not None}
    found: dict[tuple[tuple[str, Binding], ...], Workload] = {}
    for model in MODELS if sized else ():
        for tokens in (*DECODE, *PREFILL):
            bound = _bound(contract, kinds, model, tokens)
            if bound is None or len(found) >= MOST_WORKLOADS:
                continue
            source = f"{model.name}, {tokens} tokens: {_listed(kinds, sized & set(bound))}"
            key = tuple(sorted(bound.items(), key=lambda item: item[0]))
            found.setdefault(
                key, Workload(name=_name(bound, free), axes=bound, weight=1.0, origin="model config", source=source)
            )
    yield from found.values()


def tried_workloads(contract: Contract, tried: Iterable[dict[str, Binding]]) -> tuple[Workload, ...]:
    """The cases on which a contract was found to hold, each once."""
    free = [axis for axis in contract.axes if len(axis.choices) != 1]
    named = {_name(bound, free): bound for bound in tried}
    return tuple(
        Workload(name=name, axes=bound, weight=1.0, origin="derived", source="sizes on which it was tried")
        for name, bound in named.items()
    )


def dimension_of(axis: str) -> str | None:
    """Which size of a model an axis is, by its name; None where the name says nothing."""
    lower = axis.lower()
    return next((kind for kind, pattern in DIMENSIONS if re.search(pattern, lower)), None)


def _bound(contract: Contract, kinds: dict[str, str | None], model: Model, tokens: int) -> dict[str, Binding] | None:
    """Every axis at the model's size; None where the model has no such size, the contract forbids it, or it is huge."""
    bound: dict[str, Binding] = {}
    for axis in contract.axes:
        kind = kinds[axis.name]
        if len(axis.choices) == 1 or kind is None or (axis.choices and isinstance(axis.choices[0], str)):
            bound[axis.name] = axis.choices[0] if axis.choices else axis.low
            continue
        size = _size(kind, model, tokens)
        if size is None:
            return None
        bound[axis.name] = size
    return bound if admitted(contract, bound) else None


def _size(kind: str, model: Model, tokens: int) -> int | None:
    match kind:
        case "tokens":
            return tokens
        case "batch":
            return min(tokens, 64)
        case "slots":
            return 2 * tokens + PAGE
        case "page":
            return PAGE
        case "intermediate":
            return model.expert_intermediate or model.intermediate
        case _:
            size: int | None = getattr(model, kind)
            return size


def admitted(contract: Contract, bound: dict[str, Binding]) -> bool:
    """Whether a binding keeps the constraints and its tensors fit in MOST_BYTES."""
    try:
        if not keeps(contract.constraints, bound):
            return False
        total = 0.0
        for one in contract.arguments:
            if one.kind == "tensor" and evaluate(one.when, bound):
                total += ITEM_BYTES.get(str(bound.get(one.dtype, one.dtype)), 2) * math.prod(
                    number(size, bound) for size in one.shape
                )
    except HarnessError:
        return False
    return total <= MOST_BYTES


def elements(contract: Contract, bound: dict[str, Binding]) -> float:
    """How many elements all tensors of a binding have together."""
    return sum(counts(contract, bound))


def counts(contract: Contract, bound: dict[str, Binding]) -> list[float]:
    """How many elements each tensor of a binding has."""
    tensors = [one for one in contract.arguments if one.kind == "tensor" and evaluate(one.when, bound)]
    return [math.prod(number(size, bound) for size in one.shape) for one in tensors]


def _listed(kinds: dict[str, str | None], sized: set[str]) -> str:
    return ", ".join(f"{name} as {kinds[name]}" for name in sorted(sized))


def _name(bound: dict[str, Binding], free: list[Axis]) -> str:
    wanted = [axis.name for axis in free if not isinstance(bound[axis.name], str)]
    return "-".join(f"{name}{bound[name]}" for name in wanted) or "only"
