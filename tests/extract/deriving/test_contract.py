from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from extract.deriving.contract import CATALOGUE, Entry, Subject, catalogue, contract_for, read_entry, seen, written_down
from extract.runtime import building, cases, contents
from extract.warming import warm_for_trials
from kmaint import wire
from kmaint.child import clean_environment
from kmaint.forking.stem import run_with_torch
from kmaint.forking.warm import Zygote
from kmaint.records.call import Call, Seen, SeenObject, SeenTensor
from kmaint.records.workload import Contract

Told = tuple[Contract, list[str]]
HERE = Path(__file__).parents[1] / "cases"
ALLOWED = {
    "torch.float64": 1e-12,
    "torch.float32": 1e-5,
    "torch.bfloat16": 2e-2,
    "torch.float16": 3e-3,
    "torch.int8": 8e-3,
}
"""Of the largest value: a few roundings of the dtype; int8 is cut off, not rounded."""
CASES = {"vllm_unified_attention": 3}
FOLDERS = [path.parent.name for path in sorted(CATALOGUE.glob("*/contract.toml"))]


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """Largest error of each launcher by output dtype; all run in one child, since importing torch takes seconds."""
    folder = tmp_path_factory.mktemp("catalogue")
    shutil.copytree(CATALOGUE.parents[1] / "runtime", folder / "runtime")
    words = []
    for name in FOLDERS:
        entry = read_entry(CATALOGUE / name)
        (folder / name).mkdir()
        shutil.copyfile(HERE / "catalogue" / f"{name}.py", folder / name / "kernel.py")
        (folder / name / "reference.py").write_text(entry.derived.reference or "")
        (folder / name / "workloads.json").write_text(json.dumps(wire.dump(entry.derived.contract)))
        words.append(f"{name}={entry.entry}={CASES.get(name, 5)}")
    environment = clean_environment({"TRITON_INTERPRET": "1", "PYTHONPATH": str(folder)})
    argv: list[str | Path] = [sys.executable, HERE / "compare_with_reference.py", folder, *words]
    finished = run_with_torch(argv, timeout_s=240, env=environment)
    assert finished.code == 0, finished.stderr
    return wire.load(dict[str, dict[str, float]], json.loads(finished.stdout))


@pytest.mark.parametrize("name", FOLDERS)
def test_the_launcher_agrees_with_its_reference(name: str, errors: dict[str, dict[str, float]]) -> None:
    worst = errors[name]
    assert worst and all(error <= ALLOWED[dtype] for dtype, error in worst.items()), worst


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.derived.op)
def test_every_workload_is_a_call_that_the_contract_admits(entry: Entry) -> None:
    contract = entry.derived.contract
    bound = {axis.name for axis in contract.axes}
    assert contract.workloads
    for workload in contract.workloads:
        assert workload.axes.keys() == bound
        assert all(cases.evaluate(constraint, workload.axes) for constraint in contract.constraints)
        assert cases.evaluate(contract.traffic, workload.axes) > 0
        assert all(kind in contents.CONTENTS for kind in (argument.values for argument in contract.arguments))
        for argument in contract.arguments:
            assert set(argument.layouts) <= set(building.LAYOUTS)


def test_traffic_counts_each_byte_once() -> None:
    entry = next(entry for entry in catalogue() if entry.derived.op == "sglang.silu_and_mul")
    workload = next(w for w in entry.derived.contract.workloads if w.name == "T1024")
    assert cases.evaluate(entry.derived.contract.traffic, workload.axes) == 1024 * 14336 * 2 * 3


def test_a_known_launcher_is_found_by_each_of_its_kernels() -> None:
    for kernel in ("kernel_unified_attention", "reduce_segments"):
        found = written_down(Subject(source="", kernel=kernel, entry="unified_attention", framework="vllm"))
        assert found is not None and found.op == "vllm.unified_attention"


def test_weights_are_shares() -> None:
    subject = Subject(source="", kernel="merge_state_kernel", entry="merge_state_triton", framework="sglang")
    found = written_down(subject)
    assert found is not None
    workloads = found.contract.workloads
    assert sum(workload.weight for workload in workloads) == pytest.approx(1.0)


SILU = "def silu_and_mul_triton(input, use_pdl=None):\n    return input\n"


def silu_call(rows: int, count: int, argument: Seen | None = None) -> Call:
    x = SeenTensor(shape=(rows, 512), stride=(512, 1), dtype="bfloat16")
    return Call(
        launcher="sglang/x.py::silu_and_mul_triton",
        arguments={"input": argument or x, "use_pdl": None},
        count=count,
        origin="captured",
        source="capture day",
    )


def test_calls_that_were_seen_come_before_the_catalogue_but_keep_its_reference() -> None:
    [entry] = [one for one in catalogue() if one.entry == "silu_and_mul_triton"]
    subject = Subject(source=SILU, kernel=entry.kernels[0], entry=entry.entry, framework=entry.framework)
    assert seen(subject, ()) is None
    found = seen(subject, (silu_call(7, 3), silu_call(64, 1)))
    assert found is not None
    assert (found.op, found.reference) == (entry.derived.op, entry.derived.reference)
    assert {(one.weight, one.origin, one.source) for one in found.contract.workloads} == {
        (0.75, "captured", "capture day"),
        (0.25, "captured", "capture day"),
    }


def test_calls_that_no_harness_can_make_leave_it_to_the_catalogue() -> None:
    call = silu_call(7, 3, SeenObject(type="vllm.Config"))
    assert seen(Subject(source=SILU, kernel="k", entry="silu_and_mul_triton", framework="vllm"), (call,)) is None


SCALE = """\
import torch, triton
import triton.language as tl

@triton.jit
def _scale_kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * n + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, tl.arange(0, BLOCK) < n) * 2, tl.arange(0, BLOCK) < n)

def scale(x):
    num_tokens, SIZE = x.shape
    assert SIZE <= 4096
    out = torch.empty_like(x)
    _scale_kernel[(num_tokens,)](x, out, SIZE, BLOCK=triton.next_power_of_2(SIZE))
    return out
"""


@pytest.fixture(scope="module")
def warm() -> Iterator[Zygote]:
    with warm_for_trials(sys.executable) as zygote:
        yield zygote


def from_tests(warm: Zygote, folder: Path, name: str, shapes: list[tuple[int, int]], *, dtype: str = "float32") -> Told:
    """What becomes of a launcher that tests call with these shapes, and what is said of it."""
    (folder / "kernel.py").write_text(SCALE.replace("SIZE", name))
    shutil.copytree(CATALOGUE.parents[1] / "runtime", folder / "runtime")
    calls = tuple(
        Call(
            launcher="vllm/x.py::scale",
            arguments={"x": SeenTensor(shape=(rows, width), stride=(width, 1), dtype=dtype)},
            count=1,
            origin="framework test",
            source=f"tests/test_x.py::test_it[m={rows}]",
        )
        for rows, width in shapes
    )
    source = (folder / "kernel.py").read_text()
    subject = Subject(source=source, kernel="_scale_kernel", entry="scale", framework="vllm", examples=calls)
    said: list[str] = []
    return contract_for(subject, folder, warm, progress=said.append).contract, said


def test_calls_of_tests_are_examples_and_models_sizes_are_timed(warm: Zygote, tmp_path: Path) -> None:
    contract, said = from_tests(warm, tmp_path, "hidden", [(1, 128), (7, 256), (0, 128)])
    assert said == []
    assert {one.origin for one in contract.timed} == {"model config"}
    assert {one.axes["hidden"] for one in contract.timed} == {2048, 4096}  # what is more the launcher refuses
    assert sum(one.weight for one in contract.timed) == pytest.approx(1.0)
    examples = [one for one in contract.workloads if not one.weight]
    assert {(one.axes["num_tokens"], one.axes["hidden"]) for one in examples} == {(1, 128), (7, 256), (0, 128)}
    assert {one.origin for one in examples} == {"framework test"}
    assert len({one.name for one in contract.workloads}) == len(contract.workloads)


@pytest.mark.parametrize("name", ["zz", "_"])
def test_where_no_models_sizes_fit_the_tests_are_timed_but_not_their_empty_calls(
    warm: Zygote, tmp_path: Path, name: str
) -> None:
    contract, said = from_tests(warm, tmp_path, name, [(1, 128), (7, 256), (0, 128)])
    assert said == []
    width = {"_": "x_1"}.get(name, name)
    assert {(one.axes["num_tokens"], one.axes[width], one.weight) for one in contract.workloads} == {
        (1, 128, 0.5),
        (7, 256, 0.5),
        (0, 128, 0.0),
    }


def test_calls_that_do_not_run_are_said_and_derived_instead(warm: Zygote, tmp_path: Path) -> None:
    contract, said = from_tests(warm, tmp_path, "hidden", [(1, 8192)])
    assert said == ["scale: not from the framework's tests and benchmarks (AssertionError: ), so derived"]
    assert not {one.origin for one in contract.workloads} & {"framework test", "framework benchmark"}


def test_calls_that_no_suite_could_make_are_left_out_and_where_no_other_is_left_it_is_derived(
    warm: Zygote, tmp_path: Path
) -> None:
    for name, shapes in {"both": [(7, 256), (1 << 16, 1 << 16)], "none": [(1 << 16, 1 << 16)]}.items():
        (tmp_path / name).mkdir()
        contract, said = from_tests(warm, tmp_path / name, "zz", shapes)
        if name == "both":
            assert [(one.axes["num_tokens"], one.axes["zz"]) for one in contract.workloads] == [(7, 256)]
        else:
            assert said[0].startswith("scale: not from the framework's tests and benchmarks (no call is of tensors")
            assert max(one.axes["zz"] for one in contract.workloads if isinstance(one.axes["zz"], int)) < 1 << 16
