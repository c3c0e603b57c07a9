from importlib.metadata import version
from pathlib import Path

import pytest

from benchmarks.campaign.kernels import Entry
from benchmarks.campaign.recorded import Recorded
from benchmarks.campaign.shipping import Against, against_shipped, source_of
from kmaint import wire
from kmaint.config import load_config
from kmaint.records.harness import Harness


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


def test_what_cannot_be_asked_here_is_a_reason_and_no_error(tmp_path: Path, merge: Recorded) -> None:
    harness, config = wire.load(Harness, merge.harness), load_config(python=tmp_path / "no-python", device="none")
    found = against_shipped(entry("framework==1.2"), harness, "", [], config)
    assert found.timing is None
    assert "no-python" in found.reason
    unsaid = Entry(id="a.py::k", release="vllm==0.26.0", family="norm", hot_path=False, why="", shipped="op")
    assert against_shipped(unsaid, harness, "", [], config) == Against(
        reason="kernels.toml does not say how it is called"
    )
