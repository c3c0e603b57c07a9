"""What a test and a benchmark call: a function, or an operator that its module registers when it is imported."""

from __future__ import annotations

from dataclasses import dataclass

from kmaint.records.change import Patch
from kmaint.records.harness import Harness
from reintegrate.companions.places import Place, module_of
from reintegrate.names import dotted


@dataclass(frozen=True, kw_only=True)
class Subject:
    """`call` is the expression that is called, `alone` the one import that it takes, `imports` those of the test.

    `more` are tests beside those against float64, and `told` what they are about.
    """

    name: str
    call: str
    alone: str
    imports: tuple[str, ...]
    more: str = ""
    told: str = ""


def subject_of(patch: Patch, harness: Harness, place: Place) -> Subject:
    """What the patch changed or added."""
    kernel = next((file for file in patch.new if file.part == "kernel"), None)
    if kernel is None:
        return _function(module_of(harness), harness.entry)
    module = dotted(kernel.path, harness.provenance.framework)
    name = module.rpartition(".")[2]
    call = place.operator.format(name=name)
    if call == name:
        return _function(module, name)
    more = OPERATOR.replace("SHIPPED", harness.entry).replace("GUARD", f"use_{name}")
    return Subject(
        name=name,
        call=call,
        alone=f"import {module}  # noqa: F401",
        imports=(
            "import inspect",
            "from tests.kernels.utils import opcheck",
            f"from {module} import use_{name}",
            f"from {module_of(harness)} import {harness.entry}",
        ),
        more=more,
        told=f", and of `{harness.entry}`",
    )


def _function(module: str, name: str) -> Subject:
    alone = f"from {module} import {name}"
    return Subject(name=name, call=name, alone=alone, imports=(alone,))


OPERATOR = """
def is_inside(inputs):
    given = inspect.signature(SHIPPED).bind(**inputs)
    given.apply_defaults()
    return GUARD(*(given.arguments[name] for name in inspect.signature(GUARD).parameters))


def tensors(result, inputs):
    return [one for one in (result, *inputs.values()) if isinstance(one, torch.Tensor)]


@pytest.mark.skipif(not RUNS, reason="needs a CUDA device, or TRITON_INTERPRET=1")
@pytest.mark.parametrize("case", SMALL, ids=str)
def test_outside_its_guard_it_is_the_shipped_launcher(case):
    inputs, same = make_inputs(*case, DEVICE), make_inputs(*case, DEVICE)
    if is_inside(inputs):
        pytest.skip("inside its guard")
    expected = tensors(SHIPPED(**same), same)
    for actual, exact in zip(tensors(SUBJECT(**inputs), inputs), expected):
        torch.testing.assert_close(actual, exact, atol=0, rtol=0, equal_nan=True)


@pytest.mark.skipif(not RUNS, reason="needs a CUDA device, or TRITON_INTERPRET=1")
@pytest.mark.parametrize("case", SMALL[:2], ids=str)
def test_torch_is_told_what_it_writes(case):
    opcheck(SUBJECT, (), make_inputs(*case, DEVICE))
"""
"""Tests of an operator beside the function that it stands for; the guard is a function of some of its arguments."""
