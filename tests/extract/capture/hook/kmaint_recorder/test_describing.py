"""What the recorder writes down of a value."""

from __future__ import annotations

import enum
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

FILE = Path(__file__).parents[5] / "extract" / "capture" / "hook" / "kmaint_recorder" / "describing.py"


class Mode(enum.IntEnum):
    NONE = 0
    FP8 = 1


class Plain(enum.Enum):
    ONE = "one"


@pytest.fixture(scope="module")
def describing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("describing", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["describing"] = module
    spec.loader.exec_module(module)
    return module


def test_an_enumeration_of_numbers_is_its_number(describing: ModuleType) -> None:
    """vLLM's launchers take such, and compare them with `==`."""
    sight = describing.Sight(4)
    assert sight.describe(Mode.FP8) == 1
    assert type(sight.describe(Mode.FP8)) is int
    assert sight.describe(Plain.ONE) == {"type": f"{__name__}.Plain"}


def test_an_index_tensor_keeps_its_leading_values_and_its_bounds(describing: ModuleType) -> None:
    table = torch.arange(12, dtype=torch.int32).reshape(3, 4)
    assert describing.Sight(6).describe(table.T) == {
        "shape": [4, 3],
        "stride": [1, 4],
        "dtype": "int32",
        "storage": 0,
        "offset": 0,
        "values": [0, 4, 8, 1, 5, 9],
        "low": 0,
        "high": 11,
    }


def test_views_of_one_storage_say_so(describing: ModuleType) -> None:
    sight, whole = describing.Sight(0), torch.empty(4, 8, dtype=torch.bfloat16)
    described = [sight.describe(one) for one in (whole[:, :4], whole[:, 4:], torch.empty(2))]
    assert [one["storage"] for one in described] == [0, 0, 1]
    assert [one["offset"] for one in described] == [0, 4, 0]
    assert described[0]["stride"] == [8, 1]
    assert "low" not in described[0]
