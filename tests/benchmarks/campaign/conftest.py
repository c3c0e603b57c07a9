from pathlib import Path

import pytest

from benchmarks.campaign import recorded
from benchmarks.campaign.recorded import Recorded

MEASURED = Path(__file__).parents[3] / "benchmarks" / "results" / "2026-11-21-h200"


@pytest.fixture
def mrope() -> Recorded:
    """A run that won on a kernel of the hot path, 1.14x."""
    return _read("sglang-triton-mrope-forward-fused")


@pytest.fixture
def merge() -> Recorded:
    """A run that won on a kernel that serving does not run, 2.03x."""
    return _read("sglang-merge-state-kernel")


@pytest.fixture
def norm() -> Recorded:
    """A run in which all was timed and nothing won, since a workload lost."""
    return _read("sglang-fused-rmsnorm-kernel")


def _read(name: str) -> Recorded:
    found = recorded.read(MEASURED / f"{name}.json")
    assert found is not None
    return found
