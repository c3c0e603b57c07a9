"""The campaign's winner over vLLM's `merge_attn_states_kernel`, which serving on CUDA never launches."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.campaign.kernels import HOME
from benchmarks.campaign.recorded import read
from kmaint.records.harness import Harness
from reintegrate.kinds.win import Win


@pytest.fixture
def won(harness_of: Callable[[str], Harness]) -> Win:
    found = read(HOME / "vllm-merge-attn-states-kernel" / "handoff.json")
    assert found is not None and found.run.winner is not None
    return Win(harness=harness_of("merge_attn_states"), evaluation=found.run.winner, python=Path(sys.executable))
