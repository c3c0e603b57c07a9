"""Imports a file as a module.

Copied unchanged into every harness.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from .interpreter import mend


def load(path: Path, name: str) -> ModuleType:
    """Import a file as a module of that name; its own folder is not searched, the harness's is."""
    mend()
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
