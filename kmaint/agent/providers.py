"""Providers by name: a new one is a line in the table."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from kmaint.agent.builtin import Builtin
from kmaint.agent.command import open_command
from kmaint.agent.dialogue import Dialogue
from kmaint.agent.handoff import Handoff
from kmaint.agent.modelled import Modelled
from kmaint.agent.models.served import KEYS, Api, open_model
from kmaint.agent.proposal import Provider
from kmaint.agent.scripted import read_folder
from kmaint.config import Config
from kmaint.errors import UsageError


def _scripted(config: Config) -> Provider:
    if config.scripted is None:
        raise UsageError("provider 'scripted' needs a folder of candidate files", "name it with --scripted")
    return read_folder(config.scripted)


def _modelled(api: Api) -> Callable[[Config, Dialogue], Provider]:
    return lambda config, dialogue: Modelled(name=api, model=open_model(api, config), dialogue=dialogue)


PROVIDERS: dict[str, Callable[[Config, Dialogue], Provider]] = {
    "builtin": lambda _config, _dialogue: Builtin(),
    "scripted": lambda config, _dialogue: _scripted(config),
    "openai": _modelled("openai"),
    "anthropic": _modelled("anthropic"),
    "command": open_command,
    "handoff": lambda _config, dialogue: Handoff(dialogue=dialogue),
}

UNCOUNTED = ("command", "handoff")
"""Of these nobody says what an answer took, so a budget of it would be an empty word."""


def choose_provider(config: Config, dialogue: Dialogue) -> Provider:
    """The provider that the settings name. UsageError where there is none of that name, or what it lacks."""
    if config.provider not in PROVIDERS:
        near = difflib.get_close_matches(config.provider, PROVIDERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PROVIDERS)}"
        raise UsageError(f"no provider {config.provider!r}", hint)
    for name in ("tokens", "cost"):
        if config.provider in UNCOUNTED and name in config.model_fields_set and getattr(config, name) is not None:
            raise UsageError(
                f"--{name} {getattr(config, name):g}: provider {config.provider!r} does not say what its answers take",
                "limit it by --candidates and --minutes",
            )
    return PROVIDERS[config.provider](config, dialogue)


def model_of(config: Config) -> str | None:
    """The model that the settings' provider asks, where it asks one: runs of different models are different runs."""
    return config.model if config.provider in KEYS else None
