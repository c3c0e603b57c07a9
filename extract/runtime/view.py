"""Lays out what a candidate's process may see: what its calls need, and nothing that says what is expected of them.

Copied unchanged into every harness.
"""

from __future__ import annotations

import ast
import json
import shutil
import sys
import tomllib
from pathlib import Path

CANDIDATE = "candidate.py"

BUILT = ".built"
"""Suffix of the folder beside a candidate with the libraries that were built of its CUDA sources."""
SECRET = ("kernel.py", "reference.py", "test_kernel.py", "harness.toml", "parity.json", "workloads.json", "README.md")
"""Files of a harness that compute the answer, hold it against one, or say on which cases."""
SOURCES = (".cu", ".cuh")
JUDGING = ("judge.py", "suite.py", "subject.py", "view.py")
"""Files of the runtime that only the judging side needs."""

DRIVER = "cuda_utils"
"""How triton calls the module through which it loads kernels."""

ANSWERS = ("kernel", "reference", "test_kernel")
OURS = ("kmaint", "extract", "testgen")


def lay_view(folder: Path, candidate: Path, into: Path) -> Path:
    """A new folder with the candidate and the parts of the harness that its calls need; gives the candidate's place.

    workloads.json keeps what builds the arguments of a case: neither the named workloads nor the ranges of the axes.
    """
    into.mkdir()
    built = candidate.with_suffix(BUILT)
    for part in folder.iterdir():
        if built.is_dir() and (part.name == "include" or part.suffix in SOURCES):
            continue  # what is built needs no sources: those of the original least of all
        if part.name in SECRET or part.name.startswith(".") or part.name in ("__pycache__", "runtime"):
            continue
        if part.is_dir():
            shutil.copytree(part, into / part.name, symlinks=True)
        elif part.resolve() != candidate.resolve():
            shutil.copy(part, into / part.name, follow_symlinks=False)
    (into / "runtime").mkdir()
    for part in (folder / "runtime").glob("*.py"):
        if part.name not in JUDGING:
            shutil.copy(part, into / "runtime" / part.name)
    contract = json.loads((folder / "workloads.json").read_text())
    bare = {"axes": [], "constraints": [], "traffic": "", "flops": "", "workloads": []}
    (into / "workloads.json").write_text(json.dumps({**contract, **bare}))
    place = into / CANDIDATE
    place.write_bytes(candidate.read_bytes())
    if built.is_dir():
        shutil.copytree(built, place.with_suffix(BUILT))
    return place


def lay_modules(room: Path) -> None:
    """Copies of the modules in C that triton compiled for itself where this process keeps its kernels, to be found in
    a candidate's own cache: each takes a compiler most of a second, and none has anything of a kernel in it."""
    triton = sys.modules.get("triton")
    kept = getattr(getattr(triton, "knobs", None), "cache", None)
    for module in Path(kept.dir).glob(f"*/{DRIVER}*.so") if kept else ():
        into = room / module.parent.name
        into.mkdir(exist_ok=True)
        shutil.copy(module, into)


def forbidden_modules(folder: Path) -> dict[str, str]:
    """Modules that a candidate may not import, each with the code of doing so; what the original imports is its own."""
    manifest, own = folder / "harness.toml", _imported(folder / "kernel.py")
    framework = (
        tomllib.loads(manifest.read_text()).get("provenance", {}).get("framework", "") if manifest.is_file() else ""
    )
    codes = {
        **dict.fromkeys(ANSWERS, "reference_read"),
        **dict.fromkeys(OURS, "reference_read"),
        framework: "reference_fallback",
    }
    return {name: code for name, code in codes.items() if name and name not in own}


def _imported(source: Path) -> set[str]:
    """First names of the modules that a file imports anywhere."""
    if not source.is_file():
        return set()
    found = set[str]()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found
