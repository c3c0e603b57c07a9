"""What is found out about a kernel by running it, against what is known of the kernel."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from kmaint.folder import read_harness
from kmaint.records.harness import Harness
from testgen.axes import PROFILES
from testgen.tried import NOTHING, TRIED, Tried, answers_kept, read_tried, try_original
from tests.merged import RUNTIME

HERE = Path(__file__).parent


def placed(folder: Path) -> Harness:
    """The harness whose answers are known, in a folder of its own."""
    shutil.copytree(HERE / "cases" / "scale", folder)
    shutil.copytree(RUNTIME, folder / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    return read_harness(folder)


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return placed(tmp_path_factory.mktemp("tried") / "scale")


@pytest.fixture(scope="module")
def tried(harness: Harness) -> Tried:
    return try_original(harness)


def test_layouts_are_those_that_the_launcher_honours(tried: Tried) -> None:
    assert tried.base == {"T": 3, "D": 6, "DT": "bfloat16"}
    honoured = {layout: set(names) for layout, names in tried.layouts.items()}
    for layout in ("rows", "heads", "sliced", "expanded", "far"):
        assert honoured[layout] == {"x"}
    assert honoured["repeated"] == {"x", "w"}
    assert not {"strided", "transposed"} & set(honoured)


def test_types_values_and_sizes_are_those_it_does_the_same_on(tried: Tried) -> None:
    assert tried.values == PROFILES
    assert list(tried.dtypes) == [{"w": "bfloat16"}, {"w": "float16"}]
    assert set(tried.wide) >= {"x", "w"}
    assert {0, 1, 7, 33} <= set(tried.sizes["T"])
    assert {1, 2, 7, 33, 129} <= set(tried.sizes["D"])
    assert set(tried.sizes["DT"]) == {"float32", "float16"}
    assert not tried.races and not tried.cut_short


def test_what_it_turns_away_and_what_it_does_not_read_is_known(tried: Tried) -> None:
    twists = {str(case["twist"]) for case in tried.refused}
    assert {"gaps x", "shorter x 1", "shorter w 0"} <= twists
    assert not {"shorter x 0", "none x", "none unread", "dtype w"} & twists
    assert tried.inert == ("unread",)


def test_answers_are_kept_for_the_harness_as_it_is(harness: Harness, tried: Tried) -> None:
    before = (harness.folder / TRIED).stat().st_mtime_ns
    assert try_original(harness) == tried
    assert (harness.folder / TRIED).stat().st_mtime_ns == before
    kernel = harness.folder / "kernel.py"
    text = kernel.read_text()
    kernel.write_text(text + "\n")
    assert read_tried(harness) == NOTHING
    kernel.write_text(text)


def test_a_trial_that_ran_out_of_time_is_repeated_for_more_time_only(tmp_path: Path) -> None:
    harness = placed(tmp_path / "hasty")
    first = try_original(harness, seconds=0.2)
    assert first.cut_short and first.seconds == 0.2
    before = (harness.folder / TRIED).stat().st_mtime_ns
    assert try_original(harness, seconds=0.2) == try_original(harness, seconds=0.1) == first
    assert (harness.folder / TRIED).stat().st_mtime_ns == before
    longer = try_original(harness)
    assert (longer.seconds, longer.cut_short) == (20.0, False)


def test_a_harness_that_is_cut_anew_keeps_its_answers_where_it_is_what_it_was(tmp_path: Path) -> None:
    first = try_original(placed(tmp_path / "scale"), seconds=2.0)
    for more, known in (("", first), ("\n", NOTHING)):
        with answers_kept(tmp_path):
            shutil.rmtree(tmp_path / "scale")
            harness = placed(tmp_path / "scale")
            (harness.folder / "kernel.py").write_text((harness.folder / "kernel.py").read_text() + more)
        assert read_tried(harness) == known


def test_a_kernel_that_does_not_run_is_an_answer(tmp_path: Path) -> None:
    broken = placed(tmp_path / "broken")
    found = try_original(dataclasses.replace(broken, entry="no_such_name"))
    assert found.base is None
    assert found.reason.startswith("the original cannot be tried here: AttributeError:")
    assert read_tried(broken) == found


CHOSEN = """
import torch
import triton
import triton.language as tl


@triton.jit
def look_up_kernel(x_ptr, table_ptr, out_ptr, HAS_TABLE: tl.constexpr):
    row = tl.program_id(0)
    x = tl.load(x_ptr + row)
    if HAS_TABLE:
        x += tl.load(table_ptr + 3)
    tl.store(out_ptr + row, x)


def look_up(x: torch.Tensor, table: torch.Tensor | None) -> torch.Tensor:
    out = torch.empty_like(x)
    look_up_kernel[(x.shape[0],)](x, table, out, HAS_TABLE=table is not None)
    return out
"""


def test_a_size_of_what_is_there_only_with_a_flag_is_tried_with_it(tmp_path: Path) -> None:
    """Without its table the kernel takes any size of it; with it, only sizes that reach its fourth entry."""
    folder = placed(tmp_path / "chosen").folder
    contract = json.loads((folder / "workloads.json").read_text())
    x, table = contract["arguments"][0], contract["arguments"][1]
    x.update(shape=["T"], dtype="float32")
    table.update(name="table", shape=["N"], when="has_table")
    flag = {"name": "has_table", "choices": [False, True], "low": 0, "high": 0, "edges": []}
    size = {"name": "N", "choices": [8], "low": 0, "high": 0, "edges": []}
    axes = {"T": 3, "N": 8, "has_table": False}
    workload = {**contract["workloads"][0], "axes": axes}
    contract.update(axes=[contract["axes"][0], size, flag], arguments=[x, table], workloads=[workload])
    (folder / "workloads.json").write_text(json.dumps(contract))
    (folder / "kernel.py").write_text(CHOSEN)
    manifest = (folder / "harness.toml").read_text()
    (folder / "harness.toml").write_text(manifest.replace('entry = "scale"', 'entry = "look_up"'))
    sizes = set(try_original(read_harness(folder)).sizes["N"])
    assert {7, 33} <= sizes
    assert not {0, 1, 2, 3} & sizes


GATHER = """
import torch
import triton
import triton.language as tl


@triton.jit
def gather_kernel(x_ptr, at_ptr, out_ptr, stride):
    row = tl.program_id(0)
    tl.store(out_ptr + row, tl.load(x_ptr + tl.load(at_ptr + row * stride)))


def gather(x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    out = torch.empty(at.shape[0], dtype=x.dtype, device=x.device)
    gather_kernel[(at.shape[0],)](x, at, out, at.stride(0))
    return out
"""


@pytest.mark.parametrize(("values", "alike"), [("index", True), ("permutation", False)])
def test_what_stands_for_different_places_is_never_one_for_all(tmp_path: Path, values: str, alike: bool) -> None:
    """The kernel takes both; in a cache, though, two sequences with one slot would write over one another."""
    folder = placed(tmp_path / "gather").folder
    contract = json.loads((folder / "workloads.json").read_text())
    x, at = contract["arguments"][0], contract["arguments"][1]
    x.update(shape=["T"], dtype="float32")
    at.update(name="at", shape=["T"], dtype="int32", values=values, bound="T")
    workload = {**contract["workloads"][0], "axes": {"T": 3}}
    contract.update(axes=[contract["axes"][0]], arguments=[x, at], workloads=[workload])
    (folder / "workloads.json").write_text(json.dumps(contract))
    (folder / "kernel.py").write_text(GATHER)
    manifest = (folder / "harness.toml").read_text()
    (folder / "harness.toml").write_text(manifest.replace('entry = "scale"', 'entry = "gather"'))
    found = try_original(read_harness(folder)).layouts
    assert "at" in found["strided"]
    assert ("at" in found.get("expanded", [])) == alike
    assert ("at" in found.get("repeated", [])) == alike
