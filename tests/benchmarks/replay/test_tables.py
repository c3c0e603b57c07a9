"""A difference within noise is told from one beyond it by what its bounds are, and not by how they print."""

import pytest

from benchmarks.replay.tables import against, bounds


def test_what_barely_excludes_nothing_is_no_noise() -> None:
    ahead = [0.001, 0.002, 0.003, 0.002] * 5
    low, high = bounds(ahead)
    assert 0.0 < low < 0.005
    assert against(ahead, [0.0] * 20) == f"+0.002 (+{low:.3f} to +{high:.3f})"


@pytest.mark.parametrize(("apart", "noise"), [([0.3, 0.2, 0.25, 0.3], False), ([0.3, -0.3, 0.2, -0.2], True)])
def test_what_holds_nothing_is_in_brackets(apart: list[float], noise: bool) -> None:
    said = against(apart * 5, [0.0] * 20)
    assert (said.startswith("[") and said.endswith("]")) is noise
    assert said.strip("[]").startswith("+0.26" if not noise else "+0.00")
