"""Profiles as torch.profiler and Nsight Systems write them; a broken one is an error that says so."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from extract.profiles import traces
from extract.profiles.traces import GpuWork, read_traces, trace_files
from kmaint.errors import UsageError

NS = 1000
RECORD = "record one with torch.profiler (activities=[CPU, CUDA]), or with nsys and 'nsys export --type sqlite'"

# The shape of a trace of torch 2.11 on an H200, cut by hand to one event of each kind: kineto's keys and categories.
EVENTS: list[dict[str, object]] = [
    {"ph": "M", "name": "process_name", "pid": 7, "ts": 0, "args": {"name": "python"}},
    {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 7, "tid": 7, "ts": 10.5, "dur": 900.0, "args": {}},
    {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 7, "tid": 7, "ts": 11.0, "dur": 4.0},
    {
        "ph": "X",
        "cat": "kernel",
        "name": "_norm_kernel",
        "pid": 0,
        "tid": 7,
        "ts": 20.0,
        "dur": 30.25,
        "args": {"grid": [1]},
    },
    {"ph": "X", "cat": "kernel", "name": "_norm_kernel", "pid": 0, "tid": 8, "ts": 60.0, "dur": 29.75},
    {"ph": "X", "cat": "gpu_memcpy", "name": "Memcpy HtoD (Pageable -> Device)", "pid": 0, "ts": 1.0, "dur": 40.0},
    {"ph": "X", "cat": "gpu_user_annotation", "name": "step", "pid": 0, "ts": 1.0, "dur": 4000.0},
    {"ph": "s", "id": 3, "cat": "ac2g", "name": "ac2g", "pid": 7, "ts": 11.0},
]
FOUND = [GpuWork("_norm_kernel", 2, 60.0), GpuWork("Memcpy HtoD (Pageable -> Device)", 1, 40.0)]


def chrome(path: Path, events: Sequence[object] = EVENTS) -> Path:
    head = {"schemaVersion": 1, "deviceProperties": [{"id": 0, "name": "NVIDIA H200"}]}
    path.write_text(json.dumps({**head, "traceEvents": events, "traceName": "t"}, indent=2))
    return path


def nsight(path: Path) -> Path:
    """Tables and columns of https://docs.nvidia.com/nsight-systems/UserGuide (SQLite schema), those that are read."""
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE StringIds (id INTEGER PRIMARY KEY, value TEXT)")
        names = ["void vllm::rms_norm_kernel<c10::BFloat16>(int)", "rms_norm_kernel", "_norm_kernel", "_norm_kernel"]
        database.executemany("INSERT INTO StringIds VALUES (?, ?)", list(enumerate(names)))
        columns = "start INTEGER, end INTEGER, deviceId INTEGER, demangledName INTEGER, shortName INTEGER"
        database.execute(f"CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL ({columns})")
        rows = [(0, 5 * NS, 0, 0, 1), (9 * NS, 12 * NS, 0, 0, 1), (20 * NS, 21 * NS, 0, 2, 3)]
        database.executemany("INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (?, ?, ?, ?, ?)", rows)
        database.execute("CREATE TABLE CUPTI_ACTIVITY_KIND_MEMSET (start INTEGER, end INTEGER)")
        database.execute("INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET VALUES (0, 2000)")
    database.close()
    return path


def test_gpu_time_of_a_profiler_trace(tmp_path: Path) -> None:
    assert read_traces([chrome(tmp_path / "a.json")]) == FOUND


def test_packed_traces_bare_lists_and_several_files_add_up(tmp_path: Path) -> None:
    packed = tmp_path / "a.pt.trace.json.gz"
    packed.write_bytes(gzip.compress(chrome(tmp_path / "a.json").read_bytes()))
    (tmp_path / "b.json").write_text(json.dumps(EVENTS))
    found = read_traces([packed, tmp_path / "b.json"])
    assert [(one.name, one.launches, one.total_us) for one in found] == [
        (one.name, 2 * one.launches, 2 * one.total_us) for one in FOUND
    ]


@pytest.mark.parametrize("size", [64, 65, 67, 71, 300])
def test_events_may_lie_across_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(traces, "CHUNK", size)
    assert read_traces([chrome(tmp_path / "a.json", EVENTS * 5)])[0].launches == 10


def test_a_profile_of_a_cpu_has_no_gpu_work(tmp_path: Path) -> None:
    import torch

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        torch.ones(4) + 1
    path = tmp_path / "cpu.json"
    profile.export_chrome_trace(str(path))
    with pytest.raises(UsageError) as error:
        read_traces([path])
    assert str(error.value) == f"{path}: no GPU work in it; {RECORD}"


def test_an_export_of_nsight_systems(tmp_path: Path) -> None:
    assert read_traces([nsight(tmp_path / "report.sqlite")]) == [
        GpuWork("void vllm::rms_norm_kernel<c10::BFloat16>(int)", 2, 8.0),
        GpuWork("[memory sets]", 1, 2.0),
        GpuWork("_norm_kernel", 1, 1.0),
    ]


def test_what_is_no_trace_is_said_to_be_none(tmp_path: Path) -> None:
    whole = chrome(tmp_path / "whole.json").read_bytes()
    (tmp_path / "cut.json").write_bytes(whole[: whole.index(b"29.75")])
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(whole)[:-30])
    (tmp_path / "other.json").write_text('{"events": 1}')
    (tmp_path / "report.nsys-rep").write_bytes(b"\x00\x01")
    (tmp_path / "bad.sqlite").write_bytes(b"SQLite format 3\x00" + b"x" * 4096)
    messages = {
        "cut.json": "broken after an event: Expecting value; record or copy it again",
        "cut.json.gz": "ends before its data does: Compressed file ended before the end-of-stream marker was reached; "
        "copy it again, whole",
        "other.json": f"no trace: no list of traceEvents in it; {RECORD}",
        "report.nsys-rep": f"an Nsight Systems report; export it: nsys export --type sqlite {tmp_path}/report.nsys-rep",
        "bad.sqlite": f"no export of Nsight Systems: file is not a database; {RECORD}",
        "none.json": f"cannot be read: No such file or directory; {RECORD}",
    }
    for name, message in messages.items():
        with pytest.raises(UsageError) as error:
            read_traces([tmp_path / name])
        assert str(error.value) == f"{tmp_path / name}: {message}"


def test_a_folder_stands_for_its_traces(tmp_path: Path) -> None:
    for name in ("rank0.pt.trace.json.gz", "rank1.pt.trace.json.gz", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in trace_files([tmp_path])] == ["rank0.pt.trace.json.gz", "rank1.pt.trace.json.gz"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"empty: no \.json, \.json\.gz or \.sqlite in it"):
        trace_files([tmp_path / "empty"])
