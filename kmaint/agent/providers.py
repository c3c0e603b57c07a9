"""Providers by name: a new one is a line in the table."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from kmaint.agent.builtin import Builtin
from kmaint.agent.proposal import Provider
from kmaint.agent.scripted import read_folder
from kmaint.config import Config
from kmaint.errors import UsageError


def _scripted(config: Config) -> Provider:
    if config.scripted is None:
        raise UsageError("provider 'scripted' needs a folder of candidate files", "name it with --scripted")
    return read_folder(config.scripted)


PROVIDERS: dict[str, Callable[[Config], Provider]] = {
    "builtin": lambda _config: Builtin(),
    "scripted": _scripted,
}


def choose_provider(config: Config) -> Provider:
    """The provider that the settings name. UsageError where there is none of that name."""
    if config.provider not in PROVIDERS:
        near = difflib.get_close_matches(config.provider, PROVIDERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PROVIDERS)}"
        raise UsageError(f"no provider {config.provider!r}", hint)
    return PROVIDERS[config.provider](config)
