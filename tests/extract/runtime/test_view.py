"""What a candidate's process is shown of a harness."""

import json
import shutil
from pathlib import Path

import pytest
import triton

from extract.runtime.view import forbidden_modules, lay_modules, lay_view

ROOT = Path(__file__).parents[3]
HARNESS = ROOT / "tests" / "evaluate" / "cases" / "merge_state"


def harness(tmp_path: Path) -> Path:
    folder = tmp_path / "harness"
    shutil.copytree(HARNESS, folder)
    shutil.copytree(ROOT / "extract" / "runtime", folder / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_nothing_of_what_is_expected_is_in_the_view(tmp_path: Path) -> None:
    folder = harness(tmp_path)
    (folder / "shims.py").write_text("def is_hip():\n    return False\n")
    candidate = tmp_path / "mine.py"
    candidate.write_text("x = 1\n")
    place = lay_view(folder, candidate, tmp_path / "view")
    assert place.read_text() == "x = 1\n"
    assert {path.name for path in place.parent.iterdir()} == {"candidate.py", "runtime", "shims.py", "workloads.json"}
    shown = {path.name for path in (place.parent / "runtime").iterdir()}
    assert not {"judge.py", "suite.py", "subject.py"} & shown
    assert {"serving.py", "performing.py", "building.py"} <= shown


def test_the_contract_in_the_view_builds_arguments_and_names_no_case(tmp_path: Path) -> None:
    folder = harness(tmp_path)
    place = lay_view(folder, folder / "kernel.py", tmp_path / "view")
    shown = json.loads((place.parent / "workloads.json").read_text())
    whole = json.loads((folder / "workloads.json").read_text())
    assert shown["arguments"] == whole["arguments"]
    assert (shown["workloads"], shown["axes"], shown["constraints"]) == ([], [], [])


def test_what_the_original_imports_is_its_own(tmp_path: Path) -> None:
    folder = harness(tmp_path)
    assert forbidden_modules(folder)["sglang"] == "reference_fallback"
    kernel = folder / "kernel.py"
    kernel.write_text(kernel.read_text() + "\n\ndef other():\n    from sglang.ops import thing\n    return thing\n")
    assert "sglang" not in forbidden_modules(folder)
    assert forbidden_modules(folder)["reference"] == "reference_read"


def test_of_what_triton_keeps_here_a_candidate_has_the_drivers_module_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, room = tmp_path / "kept", tmp_path / "room"
    for name in ("DRIVER/cuda_utils.cpython-312.so", "KERNEL/merge.cubin", "KERNEL/__grp__merge.json"):
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        (kept / name).write_text(name)
    room.mkdir()
    monkeypatch.setitem(vars(triton.knobs.cache), "dir", str(kept))
    lay_modules(room)
    assert [str(path.relative_to(room)) for path in room.rglob("*.*")] == ["DRIVER/cuda_utils.cpython-312.so"]
    monkeypatch.setitem(vars(triton.knobs.cache), "dir", str(tmp_path / "nothing"))
    lay_modules(room)
