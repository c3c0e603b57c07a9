"""What a scan read of each file, kept for the next one: under the user's cache folder, and never needed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
import tempfile
from functools import cache
from pathlib import Path

KEPT_SUFFIX = ".scan"


def recall(key: str) -> object | None:
    """What was kept under a key by this very code; None where nothing was, or where it cannot be read whole."""
    try:
        content = _place(key).read_bytes()
    except OSError:
        return None
    seal, kept = content[:32], content[32:]
    if hashlib.sha256(kept).digest() != seal:
        return None
    found: object = pickle.loads(kept)  # noqa: S301 - sealed: byte for byte what we wrote there
    return found


def keep(key: str, value: object) -> None:
    """Keep a value under a key, whole or not at all; where the disk refuses, nothing is kept."""
    kept = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    place = _place(key)
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
            file.write(hashlib.sha256(kept).digest() + kept)
        Path(file.name).replace(place)


def _place(key: str) -> Path:
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    return cache_folder() / _code_digest() / f"{name}{KEPT_SUFFIX}"


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/kmaint`, else `~/.cache/kmaint`."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if Path(given).is_absolute() else Path("~/.cache").expanduser()) / "kmaint"


@cache
def _code_digest() -> str:
    """Names what wrote a value: other code, or another Python, may have read or would write something else."""
    state = hashlib.sha256(sys.version.encode())
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        status = path.stat()
        state.update(f"{path.name} {status.st_size} {status.st_mtime_ns}".encode())
    return state.hexdigest()[:16]
