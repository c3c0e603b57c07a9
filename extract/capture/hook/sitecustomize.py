"""Starts the recorder in every Python under `kmaint capture`, then runs the sitecustomize that this one hides.

This folder stands first on PYTHONPATH, which children inherit however they are started. Standard library only.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys

HERE = __file__.rpartition(os.sep)[0]

try:
    importlib.import_module("kmaint_recorder").start()
finally:
    hidden = importlib.machinery.PathFinder.find_spec("sitecustomize", [path for path in sys.path if path != HERE])
    if hidden is not None and hidden.loader is not None:
        module = sys.modules["sitecustomize"] = importlib.util.module_from_spec(hidden)
        hidden.loader.exec_module(module)
