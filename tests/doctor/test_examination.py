from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import get_args

import pytest

from kmaint.config import load_config
from kmaint.console import Format
from kmaint.doctor import examine
from kmaint.doctor.examination import NEEDS
from kmaint.records.machine import Purpose
from kmaint.show import doctor as show


def test_every_purpose_needs_findings_that_there_are(tmp_path: Path) -> None:
    assert set(NEEDS) == set(get_args(Purpose))
    config = load_config(state=tmp_path / "state", python=Path(sys.executable))
    found = examine(config, "optimize", lambda _line: None)
    assert found.lacking == ()
    names = {one.name: one for one in found.findings}
    assert {name for needed in NEEDS.values() for name in needed} - names.keys() == set()
    assert names["torch"].found == importlib.metadata.version("torch")
    assert [one for one in found.findings if one.standing != "ok" and not (one.found and one.get)] == []


def test_what_is_lacking_is_said_and_exits_with_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config(state=tmp_path / "state", python=tmp_path / "python")
    found = examine(config, "check", lambda _line: None)
    assert found.lacking == ("interpreter", "torch", "triton", "pytest", "hypothesis")
    assert show.diagnosis(found, Format.JSON) == 3
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["works"], said["purpose"]) == ("kmaint.doctor/1", False, "check")
    assert {"name", "standing", "found", "used_for", "get"} == said["findings"][0].keys()
    assert show.diagnosis(found, Format.TABLE) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "check: cannot: it lacks interpreter, torch, triton, pytest, hypothesis"
    assert f"torch: {tmp_path / 'python'} -m pip install torch" in lines
    core = examine(config, "core", lambda _line: None)
    assert show.diagnosis(core, Format.TABLE) == 0
