from importlib.metadata import version
from pathlib import Path

import pytest

from benchmarks.campaign.kernels import Entry
from benchmarks.campaign.shipping import source_of


def entry(package: str) -> Entry:
    call = "from op import shipped as entry\n"
    return Entry(
        id="a.py::k",
        release="vllm==0.26.0",
        family="norm",
        hot_path=False,
        why="",
        shipped="op",
        package=package,
        call=call,
    )


def test_the_shipped_operator_is_taken_from_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", ["unchanged"])
    (tmp_path / "op.py").write_text("def shipped():\n    return 42\n")
    (tmp_path / "framework-1.2.dist-info").mkdir()
    (tmp_path / "framework-1.2.dist-info" / "METADATA").write_text("Name: framework\nVersion: 1.2\n")
    names: dict[str, object] = {}
    exec(source_of(entry("framework==1.2"), [tmp_path]), names)
    found = names["entry"]
    assert callable(found)
    assert found() == 42


def test_another_release_is_not_what_is_shipped() -> None:
    with pytest.raises(ImportError, match=rf"pytest is {version('pytest')}, not 0\.1"):
        exec(source_of(entry("pytest==0.1"), []), {})
