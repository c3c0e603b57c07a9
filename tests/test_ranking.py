"""Which kernels come first, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kmaint import ranking
from kmaint.cli import trees
from kmaint.ranking import CALLED, FIXED, NO_BENCHMARK, NO_CONFIG, NO_TEST, REGISTERED, Selection
from kmaint.records.kernel import Heat, HostFunction, Kernel, Registration, Release, Scan, TuningTables


def kernel(name: str, *, callers: int = 0, path: str = "vllm/ops.py") -> Kernel:
    host = HostFunction(path=path, qualname="launch", line=1, callers=tuple(f"vllm/a.py::f{n}" for n in range(callers)))
    return Kernel(
        path=path,
        line=1,
        end_line=2,
        name=name,
        qualname=name,
        language="triton",
        role="kernel",
        launchers=(host,),
        tests=("tests/test_a.py::test_a",),
        benchmarks=("benchmarks/a.py::main",),
        decorators=("triton.autotune(configs=[])", "triton.jit"),
    )


def scan(*kernels: Kernel) -> Scan:
    release = Release(framework="vllm", version="1", commit=None, licence="Apache-2.0")
    return Scan(tree="/t", release=release, kernels=kernels, problems=(), files=1, seconds=0.1)


def test_each_signal_has_its_reason() -> None:
    plain = kernel("plain")
    tables = TuningTables(folder="configs", files=1, devices=("NVIDIA_H100",), missing=("NVIDIA_H200",))
    cases = {
        (): plain,
        (CALLED,): kernel("called", callers=1),
        (REGISTERED,): replace(plain, registrations=(Registration(registry="r", name="op", path="p", line=1),)),
        (NO_TEST,): replace(plain, tests=()),
        (NO_BENCHMARK,): replace(plain, benchmarks=()),
        (NO_CONFIG,): replace(plain, tables=tables),
        (FIXED,): replace(plain, decorators=("triton.jit",)),
    }
    for signals, one in cases.items():
        assert ranking.signals_of(one, scan(one)) == signals


def test_what_a_tree_cannot_know_is_no_signal() -> None:
    bare = replace(kernel("k"), tests=(), benchmarks=())
    assert ranking.signals_of(bare, replace(scan(bare), unknown=("tests", "benchmarks"))) == ()


def test_tests_neither_count_as_callers_nor_need_tests() -> None:
    host = HostFunction(path="vllm/ops.py", qualname="launch", line=1, callers=("tests/test_a.py::run", "vllm/b.py::f"))
    assert ranking.callers_of(replace(kernel("k"), launchers=(host,))) == ["vllm/b.py::f"]
    own = replace(kernel("k", path="tests/test_a.py"), tests=())
    assert ranking.signals_of(own, scan(own)) == ()


def test_heat_comes_before_points_and_points_before_names() -> None:
    cold, called, hot = kernel("a"), kernel("b", callers=20), kernel("c")
    hot = replace(hot, heat=Heat(share=0.5, launches=1, total_us=1.0))
    device = replace(kernel("0", callers=20), role="device")
    found = scan(device, cold, called, hot)
    assert [one.name for one in ranking.ranked(found)] == ["c", "b", "a", "0"]
    assert ranking.points_of(called, found) == ranking.MOST_CALLERS


def test_selection_keeps_the_order_of_the_scan() -> None:
    found = scan(kernel("a_one"), kernel("b_two", callers=3), replace(kernel("b_one"), language="cuda"))
    names = {
        Selection(): ["a_one", "b_two", "b_one"],
        Selection(text="::B_"): ["b_two", "b_one"],
        Selection(languages=("cuda",)): ["b_one"],
        Selection(roles=("device",)): [],
        Selection(top=2): ["a_one", "b_two"],
    }
    for selection, expected in names.items():
        assert [one.name for one in ranking.select(found, selection).kernels] == expected


@pytest.mark.parametrize("signal", ranking.SIGNALS, ids=lambda signal: signal.key)
def test_the_help_names_each_signal_with_its_points(signal: ranking.Signal) -> None:
    meaning = signal.meaning.removeprefix("one ")
    assert f"{signal.key:<16} {signal.points}  {meaning}\n" in (trees.scan.__doc__ or "")
