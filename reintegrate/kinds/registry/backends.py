"""The backend that a win becomes, by framework."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kmaint.records.change import Patch
from reintegrate.kinds.registry.sglang import specified
from reintegrate.kinds.registry.vllm import custom_operator
from reintegrate.kinds.win import Declined, Win

BACKENDS: dict[str, Callable[[Win, Path], Patch | Declined]] = {"sglang": specified, "vllm": custom_operator}


def registry_patch(win: Win, tree: Path) -> Patch | Declined:
    """The variant in a module beside the original's, registered by name as the framework registers its own."""
    framework = win.harness.provenance.framework
    backend = BACKENDS.get(framework)
    return backend(win, tree) if backend else Declined(f"kmaint knows no registry of {framework}")
