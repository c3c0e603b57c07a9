"""Where the token comes from, in order, and what is said where there is none."""

from pathlib import Path

import pytest

from kmaint.errors import MissingError
from reintegrate.forge.token import find_token


def test_the_environment_goes_before_gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "gh"
    program.write_text('#!/bin/sh\n[ "$*" = "auth token" ] && echo from-gh\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("GITHUB_TOKEN", "first")
    monkeypatch.setenv("GH_TOKEN", "second")
    assert find_token() == "first"
    monkeypatch.setenv("GITHUB_TOKEN", " ")
    assert find_token() == "second"
    monkeypatch.delenv("GH_TOKEN")
    assert find_token() == "from-gh"
    program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(MissingError) as error:
        find_token()
    assert str(error.value) == (
        "no token for GitHub in GITHUB_TOKEN or GH_TOKEN, and none from 'gh auth token'; make one that may write "
        "contents and pull requests of your fork, and set GITHUB_TOKEN"
    )
