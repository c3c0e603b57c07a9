"""Whole programs under the recorder: what it writes down, exactly, and that the program notices nothing."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from extract.capture import Limits
from extract.capture.hook.kmaint_recorder.editing import Editor
from kmaint.records.call import SeenObject, SeenSequence, SeenTensor
from tests.extract.capture.conftest import CASES, TREE, Captured, calls_of, counts


def floats(*shape: int, storage: int = 0, offset: int = 0, stride: tuple[int, ...] = (1,)) -> SeenTensor:
    return SeenTensor(shape=shape, stride=stride, dtype="float32", storage=storage, offset=offset)


def index(values: tuple[int, ...] | None) -> SeenTensor:
    return SeenTensor(shape=(8,), stride=(1,), dtype="int64", storage=0, values=values, low=0, high=7)


def test_every_argument_is_recorded_by_name(captured: Captured, capfd: pytest.CaptureFixture[str]) -> None:
    found, status = captured("plain")
    assert (status, found.processes) == (0, 1)
    assert capfd.readouterr() == ("no such mode: broken\n", "")
    assert counts(found) == {"scale": 5, "gather": 2}
    assert counts(found, "kernel") == {"scale_kernel": 6, "Adder.fill_kernel": 1, "add_kernel": 1}
    assert [(call.arguments, call.count) for call in calls_of(found, "scale")] == [
        ({"x": floats(24), "factor": 2.0, "out": None, "dtype": None}, 3),
        ({"x": floats(24), "factor": 0.5, "out": floats(24), "dtype": None}, 1),
        ({"x": floats(8, offset=1), "factor": 2.0, "out": None, "dtype": None}, 1),
    ]
    assert calls_of(found, "gather")[0].arguments == {
        "source": floats(24),
        "index": SeenTensor(shape=(3,), stride=(1,), dtype="int64", storage=1, values=(3, 1, 2), low=1, high=3),
        "sizes": SeenSequence(items=(2, 3)),
        "mode": "plain",
    }
    assert {(call.origin, call.source) for call in found.calls} == {("captured", "capture calls")}
    # At the kernel's own level: defaults filled in, a grid worked out, sizes that heuristics set left out.
    [filled], [added] = calls_of(found, "Adder.fill_kernel"), calls_of(found, "add_kernel")
    assert filled.arguments == {"y_ptr": floats(24), "value": 3.0, "BLOCK": 8, "grid": SeenSequence(items=(1,))}
    assert added.arguments == {
        "x_ptr": floats(24),
        "y_ptr": floats(24, storage=1),
        "n": 24,
        "BLOCK": 8,
        "grid": SeenSequence(items=(3,)),
    }
    in_place = calls_of(found, "scale_kernel")[1].arguments
    assert (in_place["x_ptr"], in_place["out_ptr"], in_place["factor"]) == (floats(24), floats(24), 0.5)


@pytest.mark.parametrize("mode", ["forked", "spawned"])
def test_children_are_recorded_apart_and_merged(mode: str, captured: Captured) -> None:
    found, status = captured(mode)
    assert (status, found.processes, counts(found), counts(found, "kernel")) == (
        0,
        2,
        {"scale": 2},
        {"scale_kernel": 2},
    )
    assert [call.count for call in found.calls] == [2, 2]


def test_threads_lose_no_call(captured: Captured) -> None:
    found, _ = captured("threads", limits=Limits(exact=4000))
    assert [(call.count, call.arguments["x"]) for call in calls_of(found, "double")] == [
        (2000, floats(8)),
        (2000, index(tuple(range(8)))),
    ]


@pytest.mark.parametrize("program", ["alternating", "threads"])
def test_past_the_limit_a_sample_stands_for_all(captured: Captured, program: str) -> None:
    found, _ = captured(program, limits=Limits(exact=100, stride=13, settled=2000, sparse=17, sampled=1))
    [double] = [one for one in found.watched if one.calls]
    assert (double.calls, double.estimated) == (4000, True)
    shares = [call.count for call in found.calls]
    assert abs(sum(shares) - 4000) < 13 + 17
    if program == "alternating":
        assert abs(shares[0] - 2000) < 60
    else:  # which way a sample meets among four threads is chance: of some 260, within four deviations
        assert abs(shares[0] - 2000) < 500
    assert index(None) in [call.arguments["x"] for call in found.calls]  # the second way: bounds only


@pytest.mark.filterwarnings("default")
def test_torch_compile_takes_a_watched_launcher_into_one_graph(captured: Captured) -> None:
    found, status = captured("compiled")
    assert (status, counts(found)) == (0, {"double": 1})


def test_ways_past_the_limit_are_counted_only_and_values_past_it_bounded(captured: Captured) -> None:
    found, _ = captured("many", limits=Limits(ways=4, values=3))
    [double] = [one for one in found.watched if one.calls]
    assert (double.calls, double.distinct, double.beyond) == (39, 4, 16)
    assert [call.count for call in found.calls] == [20, 1, 1, 1]
    assert index((0, 1, 2)) in [call.arguments["x"] for call in found.calls]


def test_what_no_harness_can_make_is_recorded_as_its_type(
    captured: Captured, capfd: pytest.CaptureFixture[str]
) -> None:
    found, status = captured("unusual")
    assert (status, capfd.readouterr().out) == (0, "AttributeError\n")
    [double] = [one for one in found.watched if one.calls]
    assert (double.calls, double.failed) == (6, 1)  # a sparse tensor has no address
    assert [call.arguments["x"] for call in found.calls] == [
        floats(4),
        floats(3, 4, stride=(0, 1)),
        SeenTensor(shape=(2,), stride=(1,), dtype="bool", storage=0),
        SeenTensor(shape=(2,), stride=(1,), dtype="uint32", storage=0, values=(5, 6)),
        SeenObject(type="builtins.object"),
    ]


def test_a_killed_program_loses_no_call_and_its_own_sitecustomize_ran(
    captured: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import os; open(os.environ['SEEN'], 'a').write(__file__)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TREE), str(site)]))
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    found, status = captured("killed")
    assert (status, counts(found), counts(found, "kernel")) == (128 + 9, {"scale": 5}, {"scale_kernel": 5})
    assert (tmp_path / "seen").read_text() == str(site / "sitecustomize.py")


def test_editing_keeps_lines_docstrings_and_signatures() -> None:
    path = TREE / "vllm/ops/scale.py"
    editor = Editor(functions={"scale": 0, "gather": 1}, kernels={"scale_kernel": 2})
    code = editor.edit(path.read_bytes(), str(path))
    assert editor.parameters == {0: ("x", "factor", "out", "dtype"), 1: ("source", "index", "sizes", "mode")}
    inner = {one.co_name: one for one in code.co_consts if inspect.iscode(one)}
    plain = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    untouched = {one.co_name: one for one in plain.co_consts if inspect.iscode(one)}
    assert {name: one.co_firstlineno for name, one in inner.items()} == {
        name: one.co_firstlineno for name, one in untouched.items()
    }
    assert inner["scale"].co_consts[0] == "What is scaled; `out` may be `x`."
    assert inner["scale"].co_varnames == untouched["scale"].co_varnames


def test_nothing_happens_without_instructions(tmp_path: Path) -> None:
    """The hook alone, as a child sees it whose environment lost the variable."""
    hook = Path(__file__).parents[4] / "extract/capture/hook"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(hook), str(TREE)]), "TRITON_INTERPRET": "1"}
    environment.pop("KMAINT_CAPTURE", None)
    program = "import sys; print([one for one in sys.meta_path if type(one).__module__ == '_kmaint_recorder'])"
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=CASES, capture_output=True, text=True, check=True
    )
    assert (ended.stdout, ended.stderr) == ("[]\n", "")
