"""The host operator of a harness, and what each argument becomes in it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from reintegrate.kinds.cuda.operator import Operator, Parameter, operator_of
from reintegrate.kinds.cuda.pieces import read_pieces
from reintegrate.kinds.win import Declined
from tests.reintegrate.kinds.cuda.conftest import Landable


def operator(one: Landable, text: str = "") -> Operator | Declined:
    text = text or one.original
    return operator_of(one.win.harness, text, read_pieces(text))


def test_torch_hands_arguments_on_in_the_order_of_the_schema(landable: Callable[[str], Landable]) -> None:
    found = operator(landable("silu_and_mul"))
    assert isinstance(found, Operator)
    assert (found.symbol, found.member, found.returns, found.template) == ("silu_and_mul", "", "void", ())
    tensor = "torch::stable::Tensor&"
    assert found.arguments == {"result": Parameter("out", tensor), "input": Parameter("input", tensor)}
    assert found.twin("other") == "other"


def test_a_comment_among_the_parameters_is_none_of_them(landable: Callable[[str], Landable]) -> None:
    found = operator(landable("rotary_embedding"))
    assert isinstance(found, Operator)
    assert [one.name for one in found.parameters if one.optional] == ["key"]
    assert [one.name for one in found.parameters] == list(found.arguments)


def test_a_loader_in_python_says_what_becomes_an_argument_of_the_template(
    landable: Callable[[str], Landable],
) -> None:
    found = operator(landable("fused_add_rmsnorm"))
    assert isinstance(found, Operator)
    assert (found.symbol, found.member, found.returns) == ("FusedAddRMSNormKernel", "run", "static void")
    assert found.arguments["cast_x_before_out_mul"] == Parameter("kCastXBeforeOutMul", "bool", template=True)
    assert found.twin("Other") == "Other<kCastXBeforeOutMul, DType>::run"


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (("void silu_and_mul(", "void elsewhere("), "stands nowhere at namespace level in"),
        (("Tensor& input)  // [..., 2 * d]\n{\n", "Tensor& input) { int d = 0;\n"), "begins on the line of its brace"),
        (("torch::stable::Tensor& input)  // [..., 2 * d]", "int a, int b)"), "has other parameters than what is"),
    ],
)
def test_an_operator_that_cannot_be_told_is_declined(
    edit: tuple[str, str], why: str, landable: Callable[[str], Landable]
) -> None:
    one = landable("silu_and_mul")
    assert edit[0] in one.original
    found = operator(one, one.original.replace(edit[0], edit[1], 1))
    assert isinstance(found, Declined)
    assert why in found.reason


def test_another_frameworks_host_code_is_not_known(landable: Callable[[str], Landable]) -> None:
    one = landable("silu_and_mul")
    origin = replace(one.win.harness.provenance, framework="lmdeploy")
    found = operator_of(replace(one.win.harness, provenance=origin), one.original, read_pieces(one.original))
    assert found == Declined("kmaint does not know how lmdeploy's host code reads a tensor")
