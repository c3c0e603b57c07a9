"""Records put together from parts as processes leave them, and files that are none."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest

from extract.capture import Limits, Target, calls_for_tree, read_capture, read_record
from extract.capture.record import merge, write_record
from kmaint.errors import UsageError
from kmaint.records.call import Call, Capture, SeenDtype, SeenObject, SeenSequence, SeenTensor, Watched
from kmaint.records.kernel import Release
from tests.extract.capture.conftest import TREE

RELEASE = Release(framework="vllm", version="0.26.0", commit=None, licence="Apache-2.0")
TARGETS = (
    Target(module="vllm.a", qualname="f", kernel=False, id="vllm/a.py::f"),
    Target(module="vllm.a", qualname="k", kernel=True, id="vllm/a.py::k"),
)
LIMITS = Limits(ways=2, exact=100)
WIDTH = 5
"""Counters of each target with those limits."""


def tensor(**changes: object) -> dict[str, object]:
    return {"shape": [4], "stride": [1], "dtype": "int32", "storage": 0, "offset": 0, "low": 0, "high": 3, **changes}


def process(folder: Path, name: str, lines: list[dict[str, object]], counts: list[int], torn: str = "") -> None:
    first = {"python": "3.12.3", "torch": "2.11.0", "device": "NVIDIA H200"}
    text = "".join(f"{json.dumps(line)}\n" for line in [first, *lines])
    (folder / f"{name}.jsonl").write_text(text + torn)
    (folder / f"{name}.counts").write_bytes(struct.pack(f"={len(counts)}Q", *counts))


def way(watched: int, counter: int, arguments: dict[str, object], *, graph: bool = False) -> dict[str, object]:
    return {"watched": watched, "counter": counter, "graph": graph, "arguments": arguments}


def test_processes_are_added_up_and_values_taken_from_where_they_are(tmp_path: Path) -> None:
    captured = tensor(low=None, high=None)  # nothing is read while a graph is captured
    process(tmp_path, "1-a", [way(0, 3, {"x": captured}, graph=True)], [2, 0, 0, 2, 0, 0, 0, 0, 0, 0])
    process(
        tmp_path,
        "2-b",
        [way(0, 3, {"x": tensor(values=[0, 3, 1, 2], offset=8)}), way(0, 4, {"x": tensor(offset=1)})],
        [150, 30, 1, 109, 10, 7, 0, 7, 0, 0],
        torn='{"watched": 1, "counter": 8, "arg',
    )
    found = merge(tmp_path, TARGETS, LIMITS, RELEASE, "capture day")
    assert (found.processes, found.machine) == (2, ("NVIDIA H200", "torch 2.11.0", "Python 3.12.3"))
    assert found.watched == (
        Watched(
            id="vllm/a.py::f",
            level="launcher",
            calls=152,
            distinct=2,
            beyond=30,
            failed=1,
            in_graph=2,
            estimated=True,
        ),
        Watched(id="vllm/a.py::k", level="kernel", calls=7, distinct=0, failed=7),
    )
    whole = SeenTensor(shape=(4,), stride=(1,), dtype="int32", storage=0, offset=8, values=(0, 3, 1, 2), low=0, high=3)
    odd = SeenTensor(shape=(4,), stride=(1,), dtype="int32", storage=0, offset=1, low=0, high=3)
    assert [(call.arguments["x"], call.count) for call in found.calls] == [(whole, 111), (odd, 10)]


def test_every_kind_of_argument_comes_back_as_it_was(tmp_path: Path) -> None:
    arguments = {
        "t": tensor(),
        "d": {"dtype": "bfloat16"},
        "s": {"items": [1, tensor(storage=1), {"items": []}, None]},
        "o": {"type": "vllm.Config"},
        "i": 1,
        "f": 1.0,
        "b": True,
        "n": None,
        "w": "auto",
        "inf": float("-inf"),
    }
    process(tmp_path, "1-a", [way(0, 3, arguments)], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    found = merge(tmp_path, TARGETS, LIMITS, RELEASE, "capture day")
    write_record(found, tmp_path / "day.jsonl")
    assert read_capture(tmp_path / "day.jsonl") == found
    [call] = read_record(tmp_path / "day.jsonl")
    seen = SeenTensor(shape=(4,), stride=(1,), dtype="int32", storage=0, low=0, high=3)
    other = SeenTensor(shape=(4,), stride=(1,), dtype="int32", storage=1, low=0, high=3)
    assert call == Call(
        launcher="vllm/a.py::f",
        arguments={
            "t": seen,
            "d": SeenDtype(dtype="bfloat16"),
            "s": SeenSequence(items=(1, other, SeenSequence(items=()), None)),
            "o": SeenObject(type="vllm.Config"),
            "i": 1,
            "f": 1.0,
            "b": True,
            "n": None,
            "w": "auto",
            "inf": float("-inf"),
        },
        count=1,
        origin="captured",
        source="capture day",
    )
    assert [type(call.arguments[name]) for name in "ifb"] == [int, float, bool]


def test_nothing_captured_is_a_record_too(tmp_path: Path) -> None:
    found = merge(tmp_path, TARGETS, LIMITS, RELEASE, "capture day")
    assert (found.calls, [one.calls for one in found.watched], found.processes) == ((), [0, 0], 0)


@pytest.mark.parametrize("text", ["", "[]\n", '{"schema": "kmaint.scan/1"}\n', "\x00\x01", '{"schema": 1\n'])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    path.write_text(text)
    expected = f"{path}: no record of a capture; make one with 'kmaint capture -o FILE -- COMMAND'"
    with pytest.raises(UsageError, match=f"^{re.escape(expected)}$"):
        read_record(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file or directory; make one with 'kmaint capture'"):
        read_record(tmp_path / "day.jsonl")


def test_calls_of_an_installed_package_are_those_of_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "python" / "sglang").mkdir(parents=True)
    (tmp_path / "python" / "sglang" / "__init__.py").touch()
    calls = tuple(
        Call(launcher=launcher, arguments={"n": 1}, count=count, origin="captured", source="capture day")
        for launcher, count in (("sglang/a.py::f", 3), ("sglang/a.py::f", 2), ("sglang/b.py::K.run", 1))
    )
    release = Release(framework="sglang", version="0.5.17", commit=None, licence="Apache-2.0")
    path = tmp_path / "day.jsonl"
    write_record(Capture(release=release, machine=(), processes=1, watched=(), calls=calls), path)
    found = calls_for_tree(path, tmp_path)
    assert {name: [call.count for call in of] for name, of in found.items()} == {
        "python/sglang/a.py::f": [3, 2],
        "python/sglang/b.py::K.run": [1],
    }
    with pytest.raises(UsageError, match=r"a record of sglang, but .* holds vllm; capture that one"):
        calls_for_tree(path, TREE)
