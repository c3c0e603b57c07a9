"""Copies of an installed engine that a patch can be applied to; the installation itself is never touched.

Python sources and small data are copied; what is large (extension modules, device code) is linked.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kmaint.child import clean_environment, run_child
from kmaint.errors import MissingError, UsageError
from reintegrate.repository import git

COPIED = (".py", ".pyi", ".json", ".toml", ".yaml", ".txt", ".jinja", ".cu", ".cuh", ".h", ".hpp")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")
LOCATE_S = 60.0
CACHES = ("VLLM_CACHE_ROOT", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "SGLANG_CACHE_DIR")
ENGINES_OWN = ("VLLM_", "SGLANG_", "SGL_", "HF_", "TRANSFORMERS_", "NCCL_", "CUDA_", "TORCH_")
"""How the variables begin by which a user sets an engine up."""

# Found without importing it: an engine's import takes a minute, and may need the GPU.
LOCATE = """
import importlib.metadata, importlib.util, json, sys
spec = importlib.util.find_spec(sys.argv[1])
folder = spec and next(iter(spec.submodule_search_locations or ()), None)
try:
    version = importlib.metadata.version(sys.argv[1])
except importlib.metadata.PackageNotFoundError:
    version = ""
print(json.dumps({"folder": folder, "version": version}))
"""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A framework's package as an interpreter would import it."""

    package: str
    folder: Path
    version: str


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """A folder to put before all others on PYTHONPATH, with a copy of the package in it."""

    root: Path
    package: str

    @property
    def folder(self) -> Path:
        return self.root / self.package

    def digests(self) -> dict[str, str]:
        """The sha256 of each file that is this copy's own, by its path in the root."""
        own = (path for path in sorted(self.folder.rglob("*")) if path.suffix in COPIED and path.is_file())
        return {path.relative_to(self.root).as_posix(): _sha256(path) for path in own}


def find_installed(python: Path, package: str) -> Installed:
    """Where the interpreter has the package. MissingError where it has none."""
    ended = run_child([python, "-c", LOCATE, package], timeout_s=LOCATE_S)
    found: dict[str, str] = json.loads(ended.stdout) if ended.code == 0 and ended.stdout.strip() else {"folder": ""}
    if not found["folder"]:
        raise MissingError(f"{python}: no {package} in it", f"name the interpreter that serves {package} with --python")
    return Installed(package=package, folder=Path(found["folder"]), version=found["version"])


def lay(installed: Installed, root: Path) -> Overlay:
    """A copy of the package under the root."""
    overlay = Overlay(root=root, package=installed.package)
    shutil.copytree(installed.folder, overlay.folder, ignore=LEFT_OUT, copy_function=_copy_or_link, symlinks=False)
    return overlay


def _copy_or_link(source: str, target: str) -> None:
    if Path(source).suffix in COPIED:
        shutil.copyfile(source, target)
        return
    real = os.path.realpath(source)
    try:
        os.link(real, target)
    except OSError:  # another file system
        Path(target).symlink_to(real)


def apply(overlay: Overlay, patch_files: Iterable[Path]) -> None:
    """Apply what the patches say of the package, tests and benchmarks beside it left out.

    UsageError where the installation is not the release that the patch was made for.
    """
    git(overlay.root, "init", "--quiet")  # so that paths are those of the root, wherever it lies
    for patch_file in patch_files:
        for words in _applications(overlay.package, patch_file.read_text()):
            try:
                git(overlay.root, "apply", *words, str(patch_file.resolve()))
            except UsageError as error:
                raise UsageError(
                    f"{patch_file}: does not apply to the installed {overlay.package}: {error}",
                    "install the release that the kernel was extracted from, or name its interpreter with --python",
                ) from error
    shutil.rmtree(overlay.root / ".git")


def _applications(package: str, patch: str) -> Iterator[tuple[str, ...]]:
    """For each folder in which the patch knows the package ("" or "python/"), the words that take it away."""
    touched = [line.split(" b/", 1)[1] for line in patch.splitlines() if line.startswith("diff --git a/")]
    inside = {path.split(f"{package}/")[0] for path in touched if f"/{package}/" in f"/{path}"}
    if not inside:
        raise UsageError(
            f"the patch touches nothing of the package {package}: {', '.join(touched) or 'no file'}",
            "no engine could feel it; CUDA sources have to be built into an installation of their own",
        )
    for prefix in sorted(inside):
        yield f"-p{1 + prefix.count('/')}", f"--include={package}/*"


def differing(base: Overlay, patched: Overlay) -> list[str]:
    """Paths of the files in which two overlays differ, or that only one has."""
    before, after = base.digests(), patched.digests()
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def digest(overlay: Overlay) -> str:
    """One sha256 for all that is the overlay's own."""
    return hashlib.sha256(json.dumps(overlay.digests(), sort_keys=True).encode()).hexdigest()


def environment_for(overlay: Overlay, scratch: Path) -> dict[str, str]:
    """The variables of a process that imports the overlay's package: every cache of compiled code its own, no token."""
    caches = {name: str(scratch / name.lower()) for name in CACHES}
    own = {name: value for name, value in os.environ.items() if name.startswith(ENGINES_OWN) and "TOKEN" not in name}
    path = os.pathsep.join(filter(None, (str(overlay.root), os.environ.get("PYTHONPATH", ""))))
    return clean_environment({**own, **caches, "PYTHONPATH": path})


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
