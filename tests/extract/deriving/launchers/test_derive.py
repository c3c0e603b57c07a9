from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from extract.deriving.contract import Derived, NotDerivable, Subject, contract_for
from extract.slicing.placing import copy_runtime
from extract.warming import warm_for_trials
from kmaint.forking.warm import Zygote
from kmaint.records.call import Call, SeenTensor

Derive = Callable[..., Derived]
HERE = Path(__file__).parents[2] / "cases"
SHIFT = """
import torch
import triton
import triton.language as tl


@triton.jit
def shift_kernel(x_ptr, table_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    row = tl.load(table_ptr + tl.program_id(0))
    x = tl.load(x_ptr + row * n + at, mask=at < n)
    tl.store(out_ptr + tl.program_id(0) * n + at, x, mask=at < n)


def shift(x, table, out):
    n = out.shape[1]
    shift_kernel[(table.shape[0],)](x, table, out, n, triton.next_power_of_2(n))


def constant(number):
    return number
"""


@pytest.fixture(scope="module")
def warm() -> Iterator[Zygote]:
    with warm_for_trials(sys.executable) as zygote:
        yield zygote


@pytest.fixture
def derive(warm: Zygote, tmp_path: Path) -> Derive:
    """The contract of an entry of a kernel.py with that text."""

    def derived(source: str, kernel: str, entry: str, framework: str, calls: tuple[Call, ...] = ()) -> Derived:
        (tmp_path / "kernel.py").write_text(source)
        copy_runtime(tmp_path / "runtime", "extract.runtime")
        subject = Subject(source=source, kernel=kernel, entry=entry, framework=framework, calls=calls)
        return contract_for(subject, tmp_path, warm)

    return derived


def test_a_row_wise_kernel(derive: Derive) -> None:
    source = (HERE / "gelu_and_mul.py").read_text()
    derived = derive(source, "gelu_and_mul_kernel", "gelu_and_mul_triton", "sglang")
    contract = derived.contract
    assert derived.op == "sglang.gelu_and_mul_triton" and derived.reference is None
    assert [(a.name, a.shape, a.dtype) for a in contract.arguments] == [
        ("hidden_states", ("bs", "in_hidden_dim"), "DT")
    ]
    assert contract.constraints == ("(in_hidden_dim) % (2) == 0",)
    assert contract.traffic == "(bs)*(in_hidden_dim)*itemsize(DT) + (bs)*(in_hidden_dim // 2)*itemsize(DT)"
    assert {w.axes["in_hidden_dim"] for w in contract.timed} == {2 * 14336, 2 * 12288}
    assert {w.origin for w in contract.workloads} == {"derived"}


def test_sizes_that_only_a_run_can_tell(derive: Derive) -> None:
    contract = derive(SHIFT, "shift_kernel", "shift", "vllm").contract
    arguments = {argument.name: argument for argument in contract.arguments}
    assert len(arguments["out"].shape) == 2 and len(arguments["table"].shape) == 1
    assert arguments["table"].dtype == "int64" and arguments["table"].values in ("index", "permutation")


def test_no_tensor(derive: Derive) -> None:
    with pytest.raises(NotDerivable) as raised:
        derive(SHIFT, "shift_kernel", "constant", "vllm")
    assert str(raised.value) == "constant: none of its parameters is known to be a tensor"


def test_calls_that_were_seen_come_before_a_search(derive: Derive) -> None:
    calls = tuple(
        Call(
            launcher="vllm/ops.py::shift",
            arguments={
                "x": SeenTensor(shape=(rows, 32), stride=(32, 1), dtype="float32"),
                "table": SeenTensor(
                    shape=(count,), stride=(1,), dtype="int64", values=(0,) * count, low=0, high=rows - 1
                ),
                "out": SeenTensor(shape=(count, 32), stride=(32, 1), dtype="float32"),
            },
            count=3,
            origin="captured",
            source="a run",
        )
        for rows, count in ((8, 3), (16, 5))
    )
    derived = derive(SHIFT, "shift_kernel", "shift", "vllm", calls)
    assert {one.origin for one in derived.contract.workloads} == {"captured"}
    assert sum(one.weight for one in derived.contract.workloads) == pytest.approx(1.0)
