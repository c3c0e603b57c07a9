"""Harnesses to FlashInfer Trace and back, held to the schema by flashinfer-bench's own models and builder."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from extract.interchange import export_trace, import_trace
from kmaint.child import clean_environment, run_child
from kmaint.errors import UsageError
from kmaint.folder import read_harness

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "testgen" / "cases"
FLASHINFER_BENCH = Path(sys.prefix) / "flashinfer-bench"
READ = """\
import sys
import torch
from flashinfer_bench.compile.builders.triton_builder import TritonBuilder
from flashinfer_bench.data import TraceSet

traces = TraceSet.from_path(sys.argv[1])
for name, definition in traces.definitions.items():
    (solution,) = traces.solutions[name]
    assert traces.workloads[name], "no workloads"
    run = TritonBuilder().build(definition, solution)
    axes = {axis: 2 for axis in definition.var_axes}
    shapes = definition.get_input_shapes(axes)
    assert definition.get_axes_values(shapes) == axes
    inputs = [torch.ones(shape, dtype=dtype) for shape, dtype in zip(shapes, definition.torch_input_dtypes)]
    results = run(*inputs)
    results = results if isinstance(results, tuple) else (results,)
    assert [list(one.shape) for one in results] == definition.get_output_shapes(axes)
    assert [one.dtype for one in results] == definition.torch_output_dtypes
print(*traces.definitions)
"""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harnesses") / "sglang-merge-state-kernel"
    shutil.copytree(CASES / "merge_state", folder)
    shutil.copytree(ROOT / "extract" / "runtime", folder / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def trace(harness: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("trace")
    assert export_trace(read_harness(harness), into)
    return into


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_what_goes_out_comes_back_byte_for_byte(harness: Path, trace: Path, tmp_path: Path) -> None:
    (back,) = import_trace(trace, tmp_path / "back")
    assert back.folder == tmp_path / "back" / harness.name
    assert files(back.folder) == files(harness)
    before = read_harness(harness)
    assert (back.contract, back.regions, back.provenance) == (before.contract, before.regions, before.provenance)


@pytest.mark.skipif(
    not FLASHINFER_BENCH.is_dir() and not os.environ.get("CI"),  # there it has to be
    reason=f"no {FLASHINFER_BENCH}: 'make' installs it there",
)
def test_flashinfer_bench_reads_builds_and_runs_it(trace: Path, tmp_path: Path) -> None:
    given = {"PYTHONPATH": str(FLASHINFER_BENCH), "TRITON_INTERPRET": "1", "FIB_CACHE_PATH": str(tmp_path / "cache")}
    done = run_child([sys.executable, "-c", READ, str(trace)], timeout_s=120, env=clean_environment(given))
    assert done.code == 0, done.stderr
    assert done.stdout.split() == sorted(path.stem for path in (trace / "definitions").rglob("*.json"))


def test_workloads_bind_what_a_definition_leaves_free(harness: Path, trace: Path) -> None:
    lines = [line for path in (trace / "workloads").rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert len(lines) == len(read_harness(harness).contract.workloads)
    for line in map(json.loads, lines):
        (path,) = (trace / "definitions").rglob(f"{line['definition']}.json")
        axes = json.loads(path.read_text())["axes"]
        assert line["workload"]["axes"].keys() == {name for name, axis in axes.items() if axis["type"] == "var"}


def test_what_is_there_is_not_overwritten(trace: Path, tmp_path: Path) -> None:
    (back,) = import_trace(trace, tmp_path)
    with pytest.raises(UsageError) as caught:
        import_trace(trace, tmp_path)
    assert str(caught.value) == f"{back.folder}: there already; give another folder with -o"


@pytest.mark.parametrize("path", ["../out.py", "/out.py"])
def test_a_source_that_points_outside_is_refused(path: str, tmp_path: Path) -> None:
    solution = tmp_path / "solution.json"
    solution.write_text(json.dumps({"sources": [{"path": path, "content": "x"}]}))
    with pytest.raises(UsageError, match="points outside its folder"):
        import_trace(solution, tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_what_holds_no_harness_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no solution in it holds a harness"):
        import_trace(tmp_path, tmp_path / "into")
