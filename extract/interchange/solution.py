"""Solution files: the framework's own kernel, with every file of its harness among the sources."""

from __future__ import annotations

from extract.interchange.outputs import Outputs
from extract.interchange.running import run_source
from extract.interchange.variants import Variant
from kmaint.errors import UsageError
from kmaint.records.harness import Harness
from kmaint.records.workload import Json


def solution_of(harness: Harness, variant: Variant, outputs: Outputs) -> dict[str, Json]:
    name = harness.folder.name
    sources = [{"path": "main.py", "content": _main(harness, variant, outputs)}]
    for path in sorted(harness.folder.rglob("*")):
        relative = path.relative_to(harness.folder)
        hidden = any(part.startswith((".", "__pycache__")) for part in relative.parts)
        if path.is_file() and not hidden:
            if not (content := path.read_text()):
                raise UsageError(f"{path}: empty, which the schema does not take", "remove the file")
            sources.append({"path": f"{name}/{relative.as_posix()}", "content": content})
    return {
        "name": f"{variant.name}_original",
        "definition": variant.name,
        "author": f"{harness.provenance.framework} contributors, exported by kmaint",
        "spec": {
            "language": "triton",
            "target_hardware": ["cuda"],
            "entry_point": "main.py::run",
            "dependencies": [],
            "destination_passing_style": False,
        },
        "sources": sources,
        "description": f"The framework's own kernel; {name}/ is the harness, for 'kmaint import'.",
    }


def _main(harness: Harness, variant: Variant, outputs: Outputs) -> str:
    loader = f'''"""Calls the framework's own launcher, from the harness beside this file."""

import importlib
import sys
from pathlib import Path


def _load():
    """The harness's kernel.py; its modules are forgotten again, so that another solution's may have the same names."""
    sys.path.insert(0, str(Path(__file__).parent / {harness.folder.name!r}))
    try:
        return importlib.import_module("kernel")
    finally:
        sys.path.pop(0)
        for name in ("kernel", "shims"):
            sys.modules.pop(name, None)


kernel = _load()
'''
    return loader + run_source(harness, variant, outputs, "getattr(kernel, ENTRY)")
