from __future__ import annotations

import platform
from pathlib import Path

import pytest

from kmaint.errors import MissingError
from kmaint.evaluate import Bench, open_bench


def test_this_interpreter(bench: Bench) -> None:
    found = bench.environment
    assert (bench.device, found.device, found.memory_bandwidth_gbps) == ("none", None, None)
    assert (found.python, found.arch) == (platform.python_version(), "sm_90")
    assert found.torch and found.triton


def test_an_interpreter_that_is_not_there() -> None:
    with pytest.raises(MissingError) as caught:
        open_bench(Path("/no/such/python"))
    assert str(caught.value) == "cannot start '/no/such/python': no such program; give its full path"


def test_an_interpreter_without_torch(tmp_path: Path) -> None:
    """An interpreter that sees the standard library only."""
    python = tmp_path / "python"
    import sys

    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    with pytest.raises(MissingError) as caught:
        open_bench(python)
    missing = "torch triton pytest hypothesis"
    assert str(caught.value) == (
        f"{python}: no {missing.replace(' ', ', ')} in it; '{python} -m pip install {missing}' adds it"
    )
