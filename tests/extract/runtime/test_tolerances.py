import math

import pytest
import torch

from extract.runtime.tolerances import TOLERANCES, row_scale


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_each_type_is_allowed_a_rounding_and_not_much_more(dtype: torch.dtype) -> None:
    """Of a value itself; beside a larger one in its row it may be off by less than a rounding of that."""
    rounding = torch.finfo(dtype).eps
    assert rounding / 2 < TOLERANCES[dtype].relative
    assert TOLERANCES[dtype].absolute < TOLERANCES[dtype].relative < max(100 * rounding, 1e-11)


def test_the_scale_of_a_row_is_its_largest_finite_magnitude() -> None:
    rows = torch.tensor([[1.0, -3.0, math.inf], [math.nan, 0.5, 0.0], [0.0, 0.0, 0.0]])
    assert row_scale(rows)[:2].flatten().tolist() == [3.0, 0.5]
    assert row_scale(rows)[2].item() == torch.finfo(torch.float32).tiny
    assert row_scale(torch.tensor(-2.0)).item() == 2.0
