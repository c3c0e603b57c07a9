from __future__ import annotations

import dataclasses

import pytest

from kmaint.evaluate.rungs.lint import lint
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument

BODY = "    num_tokens = output.shape[0]\n"
PARAMETERS = (
    "prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None"  # what the launcher takes
)


def test_the_original_passes_without_a_hint(harness: Harness, source: str) -> None:
    assert lint(harness, source, source) == (None, "")


def test_an_import_that_the_original_has_is_its_own(harness: Harness, source: str) -> None:
    """A branch that no workload takes may import the framework when it is reached."""
    original = source.replace(BODY, f"    if output is None:\n        from sglang import ops\n{BODY}")
    assert lint(harness, original, original)[0] is None


@pytest.mark.parametrize(
    ("before", "after", "code", "reason"),
    [
        (
            "def merge_state_kernel(",
            "def merge_state_kernel((",
            "syntax",
            "does not parse: line 12: '(' was never closed",
        ),
        (
            BODY,
            f"    from sglang import ops\n{BODY}",
            "forbidden_import",
            "line 85: imports sglang, which a candidate may not",
        ),
        (
            BODY,
            f"    import runtime.judge\n{BODY}",
            "forbidden_import",
            "line 85: imports runtime.judge, which a candidate may not",
        ),
        (
            "output_lse: Optional[torch.Tensor] = None,\n)",
            "output_lse: Optional[torch.Tensor] = None,\n    fast=True,\n)",
            "signature",
            f"merge_state_triton: takes ({PARAMETERS}, fast=True), and the original ({PARAMETERS})",
        ),
        (
            "def merge_state_triton(",
            "def merge_state(",
            "signature",
            "merge_state_triton: not defined; the launcher keeps its name",
        ),
        (
            "import torch\n",
            "import torch\nimport math\n",
            "signature",
            "text outside the regions changed, at its line 4: 'import math' for 'import triton'",
        ),
        (
            "    if output_lse is None:\n        output_lse = torch",
            "    output_lse = torch",
            "signature",
            "merge_state_triton: does nothing with output_lse, which the original reads and no test passes",
        ),
        (
            "sglang/kernels/ops/attention/merge_state.py:66-96 merge_state_triton",
            "merge_state.py:66-96 merge_state_triton",
            "signature",
            "region merge_state_triton: its markers are gone",
        ),
    ],
)
def test_refused(harness: Harness, source: str, before: str, after: str, code: str, reason: str) -> None:
    assert before in source
    rejection, _ = lint(harness, source, source.replace(before, after))
    assert rejection is not None
    assert (rejection.codes[0], rejection.reason) == (code, reason)


@pytest.mark.parametrize(
    ("line", "code"), [("import reference", "reference_read"), ("from sglang import ops", "reference_fallback")]
)
def test_the_import_of_an_answer_says_what_it_is(harness: Harness, source: str, line: str, code: str) -> None:
    rejection, _ = lint(harness, source, f"{line}\n{source}")
    assert rejection is not None
    assert rejection.codes == ("forbidden_import", code)


def test_what_a_test_passes_is_for_the_test_to_say(harness: Harness, source: str) -> None:
    """And a parameter that is read on any way through the body is read."""
    ignoring = source.replace("    if output is None:\n        output = torch", "    output = torch")
    assert ignoring != source
    given = Argument(name="output", kind="tensor", shape=("T", "H", "D"), dtype="DT", values="output")
    contract = dataclasses.replace(harness.contract, arguments=(*harness.contract.arguments, given))
    assert lint(dataclasses.replace(harness, contract=contract), source, ignoring)[0] is None
    assert lint(harness, source, ignoring)[0] is not None
    for read in (
        "    output = output if output is not None else torch",
        "    output = kept = (output or torch)\n    output = torch",
    ):
        assert lint(harness, source, ignoring.replace("    output = torch", read))[0] is None


PLAIN = """
import math
import torch


def merge_state_triton(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    return prefix_output, prefix_lse
"""


def test_where_torch_may_do_the_work_no_region_is_needed(harness: Harness, source: str) -> None:
    free = dataclasses.replace(harness, compute="any")
    rejection, hints = lint(free, source, PLAIN)
    assert rejection is None
    said = "merge_state_triton: does nothing with output, which the original reads and no test passes"
    assert hints == f"cannot be put back by region: region merge_state_kernel: its markers are gone; {said}"
    assert lint(harness, source, PLAIN)[0] is not None


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("output_lse=None)", "output_lse=0)", "merge_state_triton: takes ("),
        ("def merge_state_triton", "def other", "merge_state_triton: not defined; the launcher keeps its name"),
    ],
)
def test_its_parameters_are_still_the_original_s(
    harness: Harness, source: str, before: str, after: str, reason: str
) -> None:
    free = dataclasses.replace(harness, compute="any")
    rejection, _ = lint(free, source, PLAIN.replace(before, after))
    assert rejection is not None
    assert rejection.codes == ("signature",)
    assert rejection.reason.startswith(reason)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("def merge", "def _merge") + "\nmerge_state_triton = torch.compile(_merge_state_triton)\n",
        "try:\n    import fast\nexcept ImportError:\n    fast = None\nif fast is None:" + PLAIN.replace("\n", "\n    "),
    ],
)
def test_the_launcher_may_be_made_by_a_call_or_stand_in_a_branch(harness: Harness, source: str, text: str) -> None:
    assert lint(dataclasses.replace(harness, compute="any"), source, text)[0] is None


def test_annotations_and_bodies_may_change(harness: Harness, source: str) -> None:
    changed = source.replace("output: Optional[torch.Tensor] = None", "output=None").replace(BODY, f"    pass\n{BODY}")
    assert changed != source
    assert lint(harness, source, changed) == (None, "")


def test_suspicious_constructs_are_hints_only(harness: Harness, source: str) -> None:
    changed = source.replace(BODY, f"    import os\n    side = torch.cuda.Stream()\n{BODY}")
    assert lint(harness, source, changed) == (
        None,
        "line 85: os reads the environment; line 86: Stream makes streams of its own",
    )
