from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from extract.cuda.contracts import CATALOGUE, UnknownContractError, catalogue, contract_of
from extract.deriving.contract import Entry
from extract.runtime import building, cases
from kmaint import wire
from kmaint.expression import keeps, number

Arguments = dict[str, Any]


def _gated(given: Arguments) -> torch.Tensor:
    gate, up = given["input"].chunk(2, -1)
    return functional.silu(gate) * up


def _normed(given: Arguments) -> dict[str, torch.Tensor]:
    total, weight = given["input"] + given["residual"], given.get("weight")
    epsilon = given.get("epsilon", given.get("eps"))
    normed = functional.rms_norm(total, total.shape[-1:], weight, eps=epsilon)
    return {"argument input": normed, "argument residual": total}


def _merged(given: Arguments) -> dict[str, torch.Tensor]:
    """By a softmax over the two parts."""
    lse = torch.stack([given["prefix_lse"], given["suffix_lse"]]).double()
    weights = lse.softmax(0).transpose(1, 2)[..., None]
    merged = weights[0] * given["prefix_output"] + weights[1] * given["suffix_output"]
    truth = {"argument output": merged, "argument output_lse": lse.logsumexp(0)}
    kept = given["prefill_tokens_with_context"]
    if kept is not None:
        merged[kept:] = given["suffix_output"][kept:]
        truth["argument output_lse"][:, kept:] = given["suffix_lse"][:, kept:]
    return truth if given["output_lse"] is not None else {"argument output": merged}


def _rotated(given: Arguments) -> dict[str, torch.Tensor]:
    """By the product of complex numbers."""
    cosine, sine = given["cos_sin_cache"][given["positions"]].chunk(2, -1)
    turn = torch.complex(cosine, -sine if given["inverse"] else sine)[:, None]
    first, width, size = given["rope_dim_offset"], 2 * cosine.shape[-1], given["head_size"]

    def turned(x: torch.Tensor) -> torch.Tensor:
        heads = x.reshape(len(x), -1, size).clone()
        part = heads[..., first : first + width]
        real, imaginary = part.chunk(2, -1) if given["is_neox"] else (part[..., ::2], part[..., 1::2])
        found = torch.complex(real.contiguous(), imaginary.contiguous()) * turn
        both = (found.real, found.imag)
        part[:] = torch.cat(both, -1) if given["is_neox"] else torch.stack(both, -1).flatten(-2)
        return heads.flatten(1)

    return {f"argument {name}": turned(given[name]) for name in ("query", "key") if given[name] is not None}


OTHERWISE: dict[str, Callable[[Arguments], dict[str, torch.Tensor]]] = {
    "sglang_clamp_position_cuda": lambda given: {
        "return": torch.where(given["seq_lens"] > 0, given["seq_lens"] - 1, 0)
    },
    "sglang_fused_add_rmsnorm": _normed,
    "sglang_silu_and_mul": lambda given: (
        {}
        if given["expert_ids"] is not None
        else {"return": _gated(given)} | ({"argument out": _gated(given)} if given["out"] is not None else {})
    ),
    "vllm_fused_add_rms_norm": _normed,
    "vllm_merge_attn_states": _merged,
    "vllm_permute_cols": lambda given: {"return": given["A"].index_select(1, given["perm"])},
    "vllm_rotary_embedding": _rotated,
    "vllm_silu_and_mul": lambda given: {"argument result": _gated(given)},
}
"""The same as each reference computes, in other words."""

FOLDERS = sorted(path.parent for path in CATALOGUE.glob("*/contract.toml"))
ENTRIES = {path.name: entry for path, entry in zip(FOLDERS, catalogue(), strict=True)}


def small_cases(entry: Entry, folder: Path) -> list[tuple[cases.Contract, cases.Case]]:
    """One of each choice of each axis, on few and odd sizes."""
    contract = entry.derived.contract
    (folder / "workloads.json").write_text(wire.text(contract))
    base = {axis.name: axis.choices[0] if axis.choices else min(max(axis.low, 5), axis.high) for axis in contract.axes}
    bound = [base, *({**base, axis.name: choice} for axis in contract.axes for choice in axis.choices[1:])]
    read = cases.Contract.read(folder)
    return [(read, cases.Case(seed=n, **axes)) for n, axes in enumerate(bound) if keeps(contract.constraints, axes)]


@pytest.mark.parametrize("name", ENTRIES)
def test_a_reference_computes_what_the_same_in_other_words_does(name: str, tmp_path: Path) -> None:
    scope: dict[str, Any] = {}
    exec((CATALOGUE / name / "reference.py").read_text(), scope)
    tried = small_cases(ENTRIES[name], tmp_path)
    assert len(tried) > 1
    for contract, case in tried:
        given = {
            one: value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
            for one, value in building.build(contract, case, "cpu").arguments.items()
        }
        truth, wanted = scope["reference"](**given), OTHERWISE[name](given)
        assert truth.keys() == wanted.keys(), case
        for path in truth:
            torch.testing.assert_close(truth[path], wanted[path], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_call_of_a_table_is_one_that_can_be_built_and_timed(name: str) -> None:
    contract = ENTRIES[name].derived.contract
    assert contract.workloads == ()  # they come from the sizes of models
    for argument in contract.arguments:
        assert set(argument.layouts) <= set(building.LAYOUTS)
    parameters = ", ".join(one.name for one in contract.arguments)
    known = contract_of(ENTRIES[name].framework, ENTRIES[name].entry, f"def f({parameters}):\n    pass\n", "f")
    assert math.isclose(sum(one.weight for one in known.contract.timed), 1)
    for one in known.contract.workloads:
        assert one.origin == "model config"
        assert keeps(contract.constraints, one.axes)
        assert number(contract.traffic, one.axes) > 0


def test_an_operator_that_no_table_knows_or_that_has_other_parameters_has_no_contract() -> None:
    source = "def silu_and_mul(result, input, limit):\n    pass\n"
    for op, text, said in (
        ("_C::unknown", source, "how it is called stands in no table, so there are no workloads"),
        ("_C::silu_and_mul", source, "limit: a parameter of silu_and_mul that the table of its arguments lacks"),
        (
            "_C::silu_and_mul",
            source.replace("input, limit", "x"),
            "input: no parameter of silu_and_mul, and the table of its arguments names it",
        ),
        ("_C::silu_and_mul", "", "kernel.py defines no silu_and_mul"),
    ):
        with pytest.raises(UnknownContractError) as caught:
            contract_of("vllm", op, text, "silu_and_mul")
        assert str(caught.value) == said
    source = source.replace("limit", "limit=None")
    assert contract_of("vllm", "_C::silu_and_mul", source, "silu_and_mul", written=frozenset({"result"})).reference
    with pytest.raises(UnknownContractError, match="result: an output by the table, and by its schema"):
        contract_of("vllm", "_C::silu_and_mul", source, "silu_and_mul", written=frozenset({"input"}))
