"""Providers by name."""

from __future__ import annotations

import pytest

from kmaint.agent.builtin import Builtin
from kmaint.agent.command import Command
from kmaint.agent.dialogue import Dialogue
from kmaint.agent.handoff import Handoff
from kmaint.agent.modelled import Modelled
from kmaint.agent.proposal import Judge
from kmaint.agent.providers import PROVIDERS, choose_provider, model_of
from kmaint.agent.scripted import Scripted
from kmaint.config import Config, load_config
from kmaint.errors import UsageError
from tests.agent.conftest import CASES

LOCAL = "http://127.0.0.1:8000/v1"


def chosen(config: Config) -> object:
    return choose_provider(config, Dialogue())


def test_the_settings_choose_the_provider() -> None:
    assert chosen(load_config(provider="builtin")) == Builtin()
    scripted = chosen(load_config(provider="scripted", scripted=CASES / "scripts"))
    assert isinstance(scripted, Scripted)
    assert len(scripted.scripts) == 2
    assert isinstance(chosen(load_config(provider="command", command=("sh",))), Command)
    assert isinstance(chosen(load_config(provider="handoff")), Handoff)


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_a_model_plays_all_four_roles(api: str) -> None:
    provider = chosen(load_config(provider=api, model="made-up-7b", base_url=LOCAL))
    assert isinstance(provider, Modelled)
    assert isinstance(provider, Judge)
    assert (provider.name, provider.repairs, provider.model.name) == (api, True, f"{api}:made-up-7b")


def test_only_runs_of_models_are_told_apart_by_their_model() -> None:
    assert model_of(load_config(provider="openai", model="made-up-7b")) == "made-up-7b"
    assert model_of(load_config(provider="builtin", model="made-up-7b")) is None


@pytest.mark.parametrize("provider", ["command", "handoff"])
@pytest.mark.parametrize(("name", "value"), [("tokens", 1000), ("cost", 2.0)])
def test_a_budget_of_what_nobody_counts_is_refused(provider: str, name: str, value: float) -> None:
    with pytest.raises(UsageError) as error:
        chosen(load_config(provider=provider, command=("sh",), **{name: value}))
    assert str(error.value) == (
        f"--{name} {value:g}: provider {provider!r} does not say what its answers take; "
        "limit it by --candidates and --minutes"
    )


def test_a_provider_that_is_not_there_or_lacks_its_folder_is_said_so() -> None:
    with pytest.raises(UsageError) as unknown:
        chosen(load_config(provider="buildin"))
    with pytest.raises(UsageError) as strange:
        chosen(load_config(provider="xyz"))
    with pytest.raises(UsageError) as bare:
        chosen(load_config(provider="scripted"))
    assert str(unknown.value) == "no provider 'buildin'; did you mean 'builtin'?"
    assert str(strange.value) == f"no provider 'xyz'; there are {', '.join(PROVIDERS)}"
    assert str(bare.value) == "provider 'scripted' needs a folder of candidate files; name it with --scripted"
