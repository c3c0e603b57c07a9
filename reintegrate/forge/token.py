"""The token for a forge: from the environment or from gh, never from an option, a setting or a file."""

from __future__ import annotations

import os
import shutil

from kmaint.child import run_child
from kmaint.errors import MissingError

VARIABLES = ("GITHUB_TOKEN", "GH_TOKEN")


def find_token() -> str:
    """The first there is. MissingError where there is none."""
    for name in VARIABLES:
        if token := os.environ.get(name, "").strip():
            return token
    if shutil.which("gh"):
        said = run_child(["gh", "auth", "token"], timeout_s=30)
        if said.code == 0 and said.stdout.strip():
            return said.stdout.strip()
    raise MissingError(
        "no token for GitHub in GITHUB_TOKEN or GH_TOKEN, and none from 'gh auth token'",
        "make one that may write contents and pull requests of your fork, and set GITHUB_TOKEN",
    )
