from __future__ import annotations

import pytest

from kmaint.evaluate.lint import lint
from kmaint.records.harness import Harness

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
    assert (rejection.codes, rejection.reason) == ((code,), reason)


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
