"""A scan with one of everything, and with texts that a careless page would run."""

from __future__ import annotations

import pytest

from kmaint.records.kernel import (
    Heat,
    History,
    HostFunction,
    Kernel,
    Problem,
    Registration,
    Release,
    Scan,
    Trace,
    TuningTables,
    Unmatched,
)

EVIL = "</script><script>alert(1)</script><!--"


@pytest.fixture
def scan() -> Scan:
    host = HostFunction(path="vllm/ops/a b.py", qualname="launch", line=9, callers=("vllm/model.py::f",))
    tuned = Kernel(
        path="vllm/ops/a b.py",
        line=3,
        end_line=7,
        name="tuned_kernel",
        qualname="tuned_kernel",
        language="triton",
        role="kernel",
        decorators=("triton.autotune(configs=[1])", "triton.jit"),
        launchers=(host,),
        tests=("tests/test_a.py::test_a",),
        benchmarks=("benchmarks/b.py::main",),
        registrations=(Registration(registry="PyTorch operator", name="vllm::a", path="vllm/ops/a b.py", line=20),),
        tables=TuningTables(folder="vllm/configs", files=2, devices=("NVIDIA_H100",), missing=("NVIDIA_H200",)),
        history=History(
            created="2024-01-01T00:00:00+00:00", changed="2025-01-01T00:00:00+00:00", commits=3, authors=("Ada",)
        ),
        heat=Heat(share=0.25, launches=10, total_us=250.0),
    )
    untested = Kernel(
        path="csrc/evil.cu",
        line=5,
        end_line=6,
        name="untested_kernel",
        qualname=f"vllm::untested_kernel|{EVIL}",
        language="cuda",
        role="kernel",
    )
    lost = Kernel(path="vllm/z.py", line=1, end_line=2, name="lost", qualname="lost", language="triton", role="unknown")
    return Scan(
        tree="/tree",
        release=Release(framework="vllm", version="1.2", commit="a" * 40, licence="Apache-2.0"),
        kernels=(untested, tuned, lost),
        problems=(Problem(path="vllm/broken.py", line=4, reason="not Python: invalid syntax"),),
        files=1234,
        seconds=0.5,
        trace=Trace(
            files=("t.json",),
            total_us=1000.0,
            matched=0.25,
            unmatched=(Unmatched(name="void cutlass::Kernel<x>()", share=0.75, launches=5, total_us=750.0),),
        ),
    )
