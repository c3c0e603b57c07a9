"""What a launcher writes and gives back, seen by running it, and the schema that torch makes of it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from kmaint.folder import KERNEL
from kmaint.records.harness import Harness
from reintegrate.kinds.registry.operator import Operator, operator_of
from reintegrate.kinds.win import Declined, Win

LAST = "        output_scale is not None,\n    )\n"


def with_launcher(won: Win, *edits: tuple[str, str]) -> Win:
    """The win with another launcher in its harness."""
    kernel = won.harness.folder / KERNEL
    text = kernel.read_text()
    for before, after in edits:
        assert text.count(before) == 1
        text = text.replace(before, after)
    kernel.write_text(text)
    return won


def test_what_the_contract_does_not_call_an_output_is_seen_to_be_written(won: Win) -> None:
    contract = won.harness.contract
    plain = tuple(replace(one, values="normal") for one in contract.arguments)
    won = with_launcher(won, (LAST, f"{LAST}    prefix_lse.fill_(0.0)\n"))
    found = operator_of(replace(won, harness=replace(won.harness, contract=replace(contract, arguments=plain))))
    assert isinstance(found, Operator)
    assert (found.writes, found.like) == (("output", "prefix_lse", "output_lse"), "")
    assert found.schema.startswith("(Tensor(a0!) output, Tensor prefix_output, Tensor(a2!) prefix_lse, ")


def test_a_tensor_like_an_argument_has_a_fake(won: Win) -> None:
    found = operator_of(
        with_launcher(won, (") -> None:", ") -> torch.Tensor:"), (LAST, f"{LAST}    return suffix_lse + 1\n"))
    )
    assert isinstance(found, Operator)
    assert (found.writes, found.like) == (("output", "output_lse"), "prefix_lse")
    assert found.schema.endswith(" -> Tensor")


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ("output", "merge_attn_states gives back the memory of output, of which kmaint writes no fake"),
        ("3", "merge_attn_states gives back 3, of which kmaint writes no fake"),
        (
            "suffix_lse.new_zeros(7)",
            "what merge_attn_states gives back is like no argument of it, so no fake of it can be told",
        ),
        (
            "None if output_lse is None else suffix_lse + 1",
            "merge_attn_states gives back None or a tensor, of which kmaint writes no fake",
        ),
    ],
)
def test_any_other_result_is_declined(won: Win, result: str, why: str) -> None:
    won = with_launcher(won, (") -> None:", ") -> torch.Tensor:"), (LAST, f"{LAST}    return {result}\n"))
    assert operator_of(won) == Declined(why)


def test_what_torch_takes_for_no_operator_is_declined_in_its_words(won: Win) -> None:
    assert operator_of(with_launcher(won, ("    suffix_lse: torch.Tensor,\n", "    suffix_lse,\n"))) == Declined(
        "torch takes merge_attn_states for no operator: Parameter suffix_lse must have a type annotation"
    )
    found = operator_of(with_launcher(won, (LAST, f"{LAST}    raise TypeError('of no use')\n")))
    assert isinstance(found, Declined)
    assert found.reason.endswith(" it raises TypeError: of no use")


def test_several_results_are_declined(won: Win, harness_of: Callable[[str], Harness]) -> None:
    """As of SGLang's launcher of the same name, were it vLLM's."""
    assert operator_of(replace(won, harness=harness_of("merge_state"))) == Declined(
        "torch takes merge_state_triton for no operator: Return has unsupported type typing.Tuple[torch.Tensor, "
        "typing.Optional[torch.Tensor]]"
    )
    several = (") -> None:", ") -> tuple[torch.Tensor, torch.Tensor]:")
    found = with_launcher(won, several, (LAST, f"{LAST}    return suffix_lse + 1, suffix_lse + 2\n"))
    assert operator_of(found) == Declined(
        "merge_attn_states gives back a tensor among others, of which kmaint writes no fake"
    )
