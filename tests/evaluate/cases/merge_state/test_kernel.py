"""The least that a gate needs of a suite: a few calls compared, each failure under its code."""

import os
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1" or not torch.cuda.is_available()
if INTERPRETED:
    os.environ["TRITON_INTERPRET"] = "1"
sys.path.insert(0, str(HERE))

from runtime.cases import Case, Contract  # noqa: E402
from runtime.judge import differences  # noqa: E402
from runtime.suite import check, opened  # noqa: E402

CONTRACT = Contract.read(HERE)


@pytest.fixture(scope="module")
def pair():
    with opened(HERE, "merge_state_triton", "cpu" if INTERPRETED else "cuda") as both:
        yield both


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("size", [(0, 1, 64), (3, 2, 80)])
def test_same_as_the_original(pair, dtype, size):
    case = Case(**dict(zip("THD", size)), DT=dtype, values="infinite", seed=int(os.environ.get("KMAINT_SEED", "0")))
    check(differences(pair.original(case), pair.tested(case), interpreted=INTERPRETED))
