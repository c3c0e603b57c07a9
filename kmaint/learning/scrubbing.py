"""Keeps out of what is given away what belongs to this machine alone: places in its file system, and secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping

MACHINE_PATH = re.compile(r"(?<![\w.:/<)}\]])~?/(?:[\w.+@%-]+/)+(?P<last>[\w.+@%-]*)")
"""An absolute path of two parts or more, or one under a home folder; of an address on the net it takes nothing."""

SECRET = re.compile(
    r"gh[pousr]_\w{20,}|github_pat_\w{20,}|\bsk-[\w-]{16,}|\bhf_[A-Za-z0-9]{20,}|\bAKIA[A-Z0-9]{16}\b|\bxox[abprs]-[\w-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|(?i:\bbearer\s+[\w.~+/-]{16,})|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"
)
"""Tokens by the marks that their makers gave them, keys, and a password in an address."""

SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|PRIVATE_?KEY", re.IGNORECASE)
"""Variables of the environment whose values are secrets, whatever they look like."""

SHORTEST = 8
"""Characters of a value that is looked for: shorter ones stand in honest text."""


def known_secrets(environment: Mapping[str, str]) -> frozenset[str]:
    """Values of the variables whose names say that they are secret."""
    return frozenset(v for name, v in environment.items() if SECRET_NAME.search(name) and len(v) >= SHORTEST)


def cleaned(prose: str, secrets: frozenset[str]) -> str:
    """The prose with each place in the file system cut to its last part, and each secret to the word."""
    text = MACHINE_PATH.sub(lambda found: found["last"] or "PATH", SECRET.sub("SECRET", prose))
    for secret in secrets:
        text = text.replace(secret, "SECRET")
    return text


def fault_of(source: str, secrets: frozenset[str], *, public: str) -> str:
    """What keeps a source from being given away, since it cannot be altered; empty where nothing does.

    Places that `public` names too are none of this machine's.
    """
    if SECRET.search(source) or any(secret in source for secret in secrets):
        return "holds what looks like a secret"
    private = any(found[0] not in public for found in MACHINE_PATH.finditer(source))
    return "names a place in the file system" if private else ""
