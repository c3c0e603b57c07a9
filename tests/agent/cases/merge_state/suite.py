"""The candidate against the kernel, on two small cases."""

import os
from pathlib import Path

import pytest
from runtime.cases import Case, Contract
from runtime.judge import differences
from runtime.subject import Local, SubjectLost, load, remote

HERE = Path(__file__).parent
DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
ENTRY = "merge_state_triton"


@pytest.mark.parametrize("case", [Case(T=2, H=2, D=64, DT="bfloat16"), Case(T=1, H=1, D=80, DT="float32", values="infinite")], ids=repr)
def test_same_as_the_original(case: Case) -> None:
    contract = Contract.read(HERE)
    original = Local(getattr(load(HERE / "kernel.py", "original"), ENTRY), contract, DEVICE)
    with remote(HERE, Path(os.environ["KMAINT_CANDIDATE"]), ENTRY, DEVICE) as candidate:
        try:
            found = differences(original(case), candidate(case), interpreted=DEVICE == "cpu")
        except SubjectLost as lost:
            pytest.fail(f"[{lost.code}] {lost}")
    assert not found, "\n".join(f"[{one.code}] {one.text}" for one in found)
