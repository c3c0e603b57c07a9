"""Providers by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmaint.agent.builtin import Builtin
from kmaint.agent.providers import choose_provider
from kmaint.agent.scripted import Scripted
from kmaint.config import load_config
from kmaint.errors import UsageError
from tests.agent.conftest import CASES


def test_the_settings_choose_the_provider() -> None:
    assert choose_provider(load_config(provider="builtin")) == Builtin()
    scripted = choose_provider(load_config(provider="scripted", scripted=CASES / "scripts"))
    assert isinstance(scripted, Scripted)
    assert len(scripted.scripts) == 2


def test_a_provider_that_is_not_there_or_lacks_its_folder_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as unknown:
        choose_provider(load_config(provider="buildin"))
    with pytest.raises(UsageError) as bare:
        choose_provider(load_config(provider="scripted"))
    assert str(unknown.value) == "no provider 'buildin'; did you mean 'builtin'?"
    assert str(bare.value) == "provider 'scripted' needs a folder of candidate files; name it with --scripted"
