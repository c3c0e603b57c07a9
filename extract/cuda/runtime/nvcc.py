"""Builds this folder's CUDA sources with nvcc, once for each content, compiler and target."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("KMAINT_CUDA_CACHE") or Path.home() / ".cache" / "kmaint" / "cuda")
HOPPER = (9, 0)
"""What is built for where there is no CUDA device."""

LIMIT_S = 1800.0
COMMON = ("-shared", "-Xcompiler", "-fPIC,-fno-gnu-unique")
"""Without the last, a library that is loaded beside another of nearly the same text would take that one's variables."""

Options = tuple[list[str], list[Path]]
"""Flags of the compiler, and folders in which it looks for what is included."""


class BuildError(RuntimeError):
    """nvcc is missing, or refused the source: the first line says why, the others are its output."""


@functools.cache
def find_nvcc() -> Path:
    """nvcc of CUDA_HOME or CUDA_PATH, of PATH, or of the `nvidia-cuda-nvcc` package beside torch."""
    homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    places = [Path(home) / "bin" / "nvcc" for home in homes]
    if on_path := shutil.which("nvcc"):
        places.append(Path(on_path))
    places += [folder / "bin" / "nvcc" for folder in package_folders()]
    for place in places:
        if os.access(place, os.X_OK):
            return place
    raise BuildError("no nvcc: set CUDA_HOME, put it on PATH, or install the package nvidia-cuda-nvcc beside torch")


def package_folders() -> list[Path]:
    """Folders of NVIDIA's packages in this environment: compiler, runtime and library headers."""
    site = Path(sysconfig.get_path("purelib")) / "nvidia"
    return sorted(path for path in site.glob("*") if (path / "include").is_dir() or (path / "bin").is_dir())


@functools.cache
def compiler_version() -> str:
    """What `nvcc --version` says of itself, last lines."""
    return _run([str(find_nvcc()), "--version"], ROOT).strip()


@functools.cache
def capability() -> tuple[int, int]:
    """Of the current device, or of a Hopper where there is none."""
    return torch.cuda.get_device_capability() if torch.cuda.is_available() else HOPPER


@dataclass(frozen=True, eq=False)  # told apart by identity: one is hashed with every call of an operator
class Place:
    """Where sources lie, and where what is built of them is kept. A candidate's has a `key` of its own.

    What a candidate asks for is built before it runs, in a place that is only its own: where it runs there are neither
    its sources nor a compiler.
    """

    root: Path
    libraries: Path
    key: str = ""

    @property
    def name(self) -> str:
        """Of a library of torch's: two that are loaded into one process must not have the same."""
        return f"kmaint_{(self.key or content_key())[:16]}"


HARNESS = Place(ROOT, CACHE)


def beside(file: str, key: str) -> Place:
    """The place of a candidate: the folders beside its file."""
    return Place(Path(file).with_suffix(".source"), Path(file).with_suffix(".built"), key)


@dataclass(frozen=True)
class Wanted:
    """A library: `source` is CUDA text that includes from the place's root on, `flags` what its kernel asks for.

    `options` gives what follows from the machine, and is asked only where something has to be compiled.
    """

    name: str
    source: str
    flags: tuple[str, ...]
    options: Callable[[], Options]
    place: Place = HARNESS


@functools.cache
def content_key() -> str:
    """Digest of every source of this folder: a changed kernel is another library."""
    digest = hashlib.sha256()
    for path in [*sorted(ROOT.glob("*.cu*")), *sorted((ROOT / "include").rglob("*.*"))]:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def build(wanted: Wanted) -> Path:
    """The library; compiled now, or as it was kept."""
    place, asked = wanted.place, [wanted.source, *wanted.flags]
    if place.key:
        library = _library(wanted, asked)
        if not library.is_file() and not place.root.is_dir():
            raise BuildError(f"{wanted.name}: not among what was built before the candidate was run")
        return library if library.is_file() else _compiled(wanted, library, wanted.options())
    flags, folders = wanted.options()
    library = _library(wanted, [content_key(), *asked, *flags, compiler_version(), torch.__version__])
    return library if library.is_file() else _compiled(wanted, library, (flags, folders))


def _library(wanted: Wanted, parts: Sequence[str]) -> Path:
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return wanted.place.libraries / f"{wanted.name}-{digest}" / f"{wanted.name}.so"


def _compiled(wanted: Wanted, library: Path, options: Options) -> Path:
    """Built aside and put in place whole: a killed build leaves nothing that looks finished."""
    kept, (flags, folders) = wanted.place.libraries, options
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{wanted.name}-", dir=kept) as scratch:
        (Path(scratch) / "main.cu").write_text(wanted.source)
        command = [str(find_nvcc()), *COMMON, *flags, *wanted.flags]
        for path in [wanted.place.root, *folders, *(one / "include" for one in package_folders())]:
            command += ["-I", str(path)]
        _run([*command, "main.cu", "-o", library.name], Path(scratch))
        library.parent.mkdir(exist_ok=True)
        (Path(scratch) / library.name).replace(library)
    return library


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"nvcc: no end within {LIMIT_S:.0f} s") from error
    if done.returncode:
        said = f"{done.stderr}\n{done.stdout}".strip()
        first = next((line for line in said.splitlines() if "error" in line), f"exit status {done.returncode}")
        raise BuildError(f"nvcc: {first.strip()}\n{said}\n{' '.join(command)}")
    return done.stdout
