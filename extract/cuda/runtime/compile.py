"""`python -m runtime.compile` in this folder builds the kernel for the device, or for sm_90 where there is none.

Prints one line of JSON for each library, with the symbols that no library of the toolkit or of torch defines.
A module that takes template arguments is built for bfloat16 and the first of a few sizes that it admits.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from . import nvcc

SIZES = (128, 4096, 64, 8, 1)
TRIES = 6
OURS = ("std::", "typeinfo for std", "vtable for __cxx", "operator ", "__")


def main() -> int:
    """Exit status 1 where something did not build."""
    sys.path.insert(0, str(nvcc.ROOT))
    import kernel  # type: ignore[import-not-found]

    failed = False
    builders = dict(_modules(kernel)) if (nvcc.ROOT / "include").is_dir() else {}
    for name, build in builders.items():
        started = time.monotonic()
        try:
            library = build()
        except nvcc.BuildError as error:
            failed = True
            _say(loader=name, error=str(error).splitlines()[0])
            continue
        _say(loader=name, library=str(library), seconds=round(time.monotonic() - started, 1), missing=_missing(library))
    return int(failed)


def _modules(kernel: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(kernel, "OPERATOR"):
        from . import torch_library

        yield kernel.OPERATOR, lambda: nvcc.build(torch_library.wanted(kernel.FLAGS, kernel.FOLDERS))
        return
    for node in ast.parse((nvcc.ROOT / "kernel.py").read_text()).body:
        if isinstance(node, ast.FunctionDef) and "load_jit(" in ast.unparse(node):
            yield node.name, lambda name=node.name: _tried(getattr(kernel, name))


def _tried(loader: Any) -> Path:
    """The library of the first arguments that compile; BuildError of the last."""
    from . import jit

    problem = nvcc.BuildError("takes arguments that are no types, sizes or flags")
    for values in itertools.islice(_guesses(loader), TRIES):
        try:
            loader(**values)
        except nvcc.BuildError as error:
            problem = error
        except (AssertionError, KeyError, TypeError, ValueError, RuntimeError) as error:
            problem = nvcc.BuildError(f"refuses {values}: {error!r}")
        else:
            return jit.BUILT[-1]
    raise problem


def _guesses(loader: Any) -> Iterator[dict[str, object]]:
    parameters = inspect.signature(loader).parameters.values()
    open_ones = [one for one in parameters if one.default is inspect.Parameter.empty]
    for size in SIZES:
        by_type = {"torch.dtype": torch.bfloat16, "bool": True, "int": size, "float": 1.0}
        if any(one.annotation not in by_type for one in open_ones):
            return
        yield {one.name: by_type[one.annotation] for one in open_ones}


def _missing(library: Path) -> list[str]:
    """C++ symbols that the library needs from another file of the tree."""
    if (nm := shutil.which("nm")) is None:
        return []
    listed = subprocess.run([nm, "-DCu", str(library)], capture_output=True, text=True, check=True).stdout
    names = [line.strip().partition(" ")[2] for line in listed.splitlines()]
    return sorted(name for name in names if "(" in name and not name.startswith(OURS) and " std::" not in name)


def _say(**line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    sys.exit(main())
