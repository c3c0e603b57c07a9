"""Builds this folder's CUDA sources with nvcc, once for each content, compiler and target."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("KMAINT_CUDA_CACHE") or Path.home() / ".cache" / "kmaint" / "cuda")
HOPPER = (9, 0)
"""What is built for where there is no CUDA device."""

LIMIT_S = 1800.0


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


@functools.cache
def content_key() -> str:
    """Digest of every source of this folder: a changed kernel is another library."""
    digest = hashlib.sha256()
    for path in [*sorted(ROOT.glob("*.cu*")), *sorted((ROOT / "include").rglob("*.*"))]:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def build(source: str, flags: Sequence[str], folders: Sequence[Path], *, name: str) -> Path:
    """A shared library of `source`, CUDA text that includes from this folder on; compiled now or from the cache."""
    wanted = "\0".join([content_key(), source, *flags, compiler_version(), torch.__version__])
    folder = CACHE / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:16]}"
    library = folder / f"{name}.so"
    if library.is_file():
        return library
    CACHE.mkdir(parents=True, exist_ok=True)
    # Built aside and put in place whole: a killed build leaves nothing that looks finished.
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=CACHE) as scratch:
        (Path(scratch) / "main.cu").write_text(source)
        command = [str(find_nvcc()), "-shared", "-Xcompiler", "-fPIC", *flags]
        for path in [ROOT, *folders, *(one / "include" for one in package_folders())]:
            command += ["-I", str(path)]
        _run([*command, "main.cu", "-o", library.name], Path(scratch))
        folder.mkdir(exist_ok=True)
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
