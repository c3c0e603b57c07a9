"""Starts the recorder in every Python under `kmaint capture`, then runs the sitecustomize that this one hides.

This folder stands first on PYTHONPATH, which children inherit however they are started. Standard library only.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys

HERE = __file__.rpartition(os.sep)[0]
RECORDER = "_kmaint_recorder"


def _run(spec: importlib.machinery.ModuleSpec | None) -> None:
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)


def _hidden() -> importlib.machinery.ModuleSpec | None:
    return importlib.machinery.PathFinder.find_spec("sitecustomize", [path for path in sys.path if path != HERE])


try:
    _run(importlib.util.spec_from_file_location(RECORDER, f"{HERE}/../recorder.py"))
    sys.modules[RECORDER].start()
finally:
    _run(_hidden())
