"""Formatting of generated code: whole, or some lines only, and never by the settings of where we stand."""

from pathlib import Path

import pytest

from kmaint.errors import InternalError
from kmaint.formatting import format_python


def test_the_whole_text() -> None:
    assert format_python("x = {  'a':1 }\n", columns=120) == 'x = {"a": 1}\n'


def test_only_the_lines_named() -> None:
    assert format_python("a=1\nb=2\nc=3\n", columns=88, lines=(2, 2)) == "a=1\nb = 2\nc=3\n"


def test_settings_around_us_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ruff.toml").write_text("[format]\nquote-style = 'single'\n")
    monkeypatch.chdir(tmp_path)
    assert format_python("x = 'a'\n", columns=88) == 'x = "a"\n'


def test_what_does_not_parse_is_our_fault() -> None:
    with pytest.raises(InternalError, match="generated code does not parse"):
        format_python("def f(:\n", columns=88)
