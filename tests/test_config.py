"""Settings: flags over environment over kmaint.toml over pyproject.toml; a typing mistake gets a guess."""

from pathlib import Path

import pytest

from kmaint.config import load_config
from kmaint.errors import ConfigError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_nearer_source_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.kmaint]\ncandidates = 1\nminutes = 1.0\nstrategy = 'greedy'\n")
    (tmp_path / "kmaint.toml").write_text("candidates = 2\nminutes = 2.0\n")
    monkeypatch.setenv("KMAINT_CANDIDATES", "3")
    config = load_config(candidates=None, provider="scripted")
    assert (config.candidates, config.minutes, config.strategy, config.provider) == (3, 2.0, "greedy", "scripted")
    assert load_config(candidates=4).candidates == 4


def test_an_unknown_key_is_answered_with_a_guess(tmp_path: Path) -> None:
    (tmp_path / "kmaint.toml").write_text("provder = 'x'\n")
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert str(caught.value) == "unknown setting 'provder'; did you mean 'provider'?"


def test_a_value_out_of_range_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(candidates=0)
    said = "setting 'candidates': Input should be greater than or equal to 1, not 0; see 'kmaint --help'"
    assert str(caught.value) == said
