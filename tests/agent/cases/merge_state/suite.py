"""The candidate against the kernel, on two small cases."""

import os
from pathlib import Path

import pytest
from runtime.cases import Case, Contract
from runtime.judge import differences
from runtime.subject import Local, load

HERE = Path(__file__).parent
DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
CASES = [Case(T=2, H=2, D=64, DT="bfloat16"), Case(T=1, H=1, D=80, DT="float32", values="infinite")]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_same_as_the_original(case):
    contract = Contract.read(HERE)
    expected, actual = (
        Local(load(Path(path), name).merge_state_triton, contract, DEVICE)(case)
        for path, name in ((HERE / "kernel.py", "original"), (os.environ["KMAINT_CANDIDATE"], "candidate"))
    )
    found = differences(expected, actual, interpreted=DEVICE == "cpu")
    assert not found, "\n".join(f"[{one.code}] {one.text}" for one in found)
