"""Lays out a candidate as the workers take one: a file of Python that defines the entry.

In CUDA C++ a candidate is the text of the kernel's own file. It is put into a copy of the harness's sources, and the
file of Python is the harness's kernel.py with a few lines of ours, by which it loads what was built of that copy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from kmaint import wire
from kmaint.evaluate.bench.surroundings import scratch_with
from kmaint.folder import INCLUDE, KERNEL, forward, sha256, write_text
from kmaint.records.harness import Harness

SOURCES, BUILT = ".source", ".built"
"""Suffixes of the folders beside a candidate's file: its sources, and the libraries made of them."""
LOADER = "loader.json"
"""Says what SGLang's loader is asked for; a harness of an operator that is registered with torch has none."""

OWN = """

# Generated: what this file loads was built of a candidate's sources, which lay beside it.
import functools as _functools

from runtime.nvcc import beside as _beside

PLACE = _beside(__file__, "{key}")
{name} = _functools.partial({name}, place=PLACE)
"""


@contextlib.contextmanager
def laid_out(harness: Harness, source: str) -> Iterator[tuple[Path, Path]]:
    """A folder that goes when the block ends, and the candidate's file in it."""
    with scratch_with(source) as (scratch, file):
        lay(harness, source, file)
        yield scratch, file


def lay(harness: Harness, source: str, file: Path) -> None:
    """Write the candidate's file; of CUDA C++ its sources beside it, of which nothing is built yet."""
    if harness.language == "triton":
        file.write_text(source)
        return
    sources = file.with_suffix(SOURCES)
    shutil.copytree(harness.folder, sources, symlinks=True, ignore=_all_but_sources, dirs_exist_ok=True)
    (sources / harness.replaced.name).write_text(source)
    forward(sources, harness.regions[0].path, harness.replaced.name)
    name = "load_jit" if (harness.folder / LOADER).is_file() else "operators"
    # Another key than the original's, which has that of its content: both are loaded into the process that times them.
    key = wire.digest(f"candidate\0{source}", length=16)
    write_text(file, (harness.folder / KERNEL).read_text() + OWN.format(key=key, name=name))


def kept_libraries() -> Path:
    """Where what is built of harnesses is kept: the same folder as their own runtime takes."""
    return Path(os.environ.get("KMAINT_CUDA_CACHE") or Path.home() / ".cache" / "kmaint" / "cuda")


def sources_digest(harness: Harness) -> str:
    """Of all that is compiled, and of what loads it."""
    files = [path for path in harness.folder.rglob("*") if path.is_file() and _is_compiled(path, harness.folder)]
    parts = [f"{path.relative_to(harness.folder)} {sha256(path.read_bytes())}" for path in sorted(files)]
    return sha256("\n".join([*parts, OWN]))


def _is_compiled(path: Path, folder: Path) -> bool:
    top = path.relative_to(folder).parts[0]
    if path.suffix == ".pyc":
        return False
    return top in (INCLUDE, "runtime", KERNEL, "shims.py", LOADER) or path.suffix in (".cu", ".cuh")


def with_more(file: Path, text: str, into: Path) -> None:
    """The same candidate with more of Python below it, and with what was built of it."""
    into.write_text(file.read_text() + text)
    if file.with_suffix(BUILT).is_dir():
        shutil.copytree(file.with_suffix(BUILT), into.with_suffix(BUILT), dirs_exist_ok=True)


def _all_but_sources(folder: str, names: list[str]) -> set[str]:
    """Of the harness's folder only what the compiler reads; all of what lies deeper."""
    if not (Path(folder) / KERNEL).is_file():
        return set()
    return {name for name in names if name != INCLUDE and not name.endswith((".cu", ".cuh"))}
