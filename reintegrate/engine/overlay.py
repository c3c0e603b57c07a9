"""Copies of an installed engine that a patch can be applied to; the installation itself is never touched.

Python sources and small data are copied; what is large (extension modules, device code) is linked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
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
OUTSIDE = frozenset({"test", "tests", "benchmark", "benchmarks", "docs", "examples"})
"""Folders of a checkout in which a path holds no part of the package, whatever it is called."""

AS_IT_STANDS = ("core.autocrlf=false", "apply.whitespace=nowarn")
"""Settings of a user's git that would turn line ends or cut blanks: both sides have to differ in the patch alone."""

SECRETS = ("_TOKEN", "_KEY", "_SECRET", "_PASSWORD")
"""How variables end that authenticate somebody."""

ENGINES_OWN = (
    "VLLM_",
    "SGLANG_",
    "SGL_",
    "HF_",
    "TRANSFORMERS_",
    "NCCL_",
    "CUDA_",
    "TORCH_",
    "FLASHINFER_",
    "TVM_FFI_",
)
"""How the variables begin by which a user sets an engine up, or the libraries that it takes its kernels from."""

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
    # As an engine is started: else a checkout that the user stands in would be found before the installation.
    ended = run_child([python, "-c", LOCATE, package], timeout_s=LOCATE_S, env=clean_environment())
    lines = ended.stdout.strip().splitlines()
    found: dict[str, str] = json.loads(lines[-1]) if ended.code == 0 and lines else {"folder": ""}
    if not found["folder"]:
        raise MissingError(f"{python}: no {package} in it", f"name the interpreter that serves {package} with --python")
    return Installed(package=package, folder=Path(found["folder"]), version=found["version"])


def lay(installed: Installed, root: Path) -> Overlay:
    """A copy of the package under the root."""
    overlay = Overlay(root=root, package=installed.package)
    shutil.copytree(
        installed.folder, overlay.folder, ignore=LEFT_OUT, copy_function=_copy_or_link, ignore_dangling_symlinks=True
    )
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
    part = overlay.root / "kmaint.patch"
    for patch_file in patch_files:
        for words, text in _parts(overlay.package, patch_file.read_bytes()):
            part.write_bytes(text)
            try:
                git(overlay.root, "apply", *words, part.name, settings=AS_IT_STANDS, environment=_alone(overlay.root))
            except UsageError as error:
                raise UsageError(
                    f"{patch_file}: does not apply to the installed {overlay.package}: {error.message}",
                    "install the release that the kernel was extracted from, or name its interpreter with --python",
                ) from error
            part.unlink()


def _alone(root: Path) -> dict[str, str]:
    """So that git takes paths as those of the root, whatever repository that may lie in."""
    return {"GIT_CEILING_DIRECTORIES": str(root.resolve().parent)}


def _parts(package: str, patch: bytes) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """What the patch says in each folder in which it knows the package ("" or "python/"), and git's words for that.

    A folder of tests or benchmarks may be called as the package is: it is none that the package stands in.
    """
    sections = {_path(section): section for section in re.split(rb"(?m)^(?=diff --git )", patch)[1:]}
    parts: dict[str, list[bytes]] = {}
    for path, section in sections.items():
        before, found, _ = f"/{path}".partition(f"/{package}/")
        if found and not OUTSIDE & set(before.split("/")):
            parts.setdefault(before, []).append(section)
    if not parts:
        raise UsageError(
            f"the patch touches nothing of the package {package}: {', '.join(sections) or 'no file'}",
            "no engine could feel it; CUDA sources have to be built into an installation of their own",
        )
    for before, found_there in sorted(parts.items()):
        yield (f"-p{1 + before.count('/')}",), b"".join(found_there)


def _path(section: bytes) -> str:
    """Of the file that a section of a patch is about, as it is called afterwards."""
    return section.splitlines()[0].decode(errors="replace").rpartition(" b/")[2]


def differing(base: Overlay, patched: Overlay) -> list[str]:
    """Paths of the files in which two overlays differ, or that only one has."""
    before, after = base.digests(), patched.digests()
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def digest(overlay: Overlay) -> str:
    """One sha256 for all that is the overlay's own."""
    return hashlib.sha256(json.dumps(overlay.digests(), sort_keys=True).encode()).hexdigest()


def environment_for(overlay: Overlay, scratch: Path) -> dict[str, str]:
    """The variables of a process that imports the overlay's package: every cache of compiled code its own, no token.

    But Python's bytecode is kept beside the sources as usual: an engine has thousands, and is started four times.
    """
    caches = {name: str(scratch / name.lower()) for name in CACHES}
    own = variables_of_engines()
    path = os.pathsep.join(filter(None, (str(overlay.root), os.environ.get("PYTHONPATH", ""))))
    return clean_environment({**own, **caches, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": ""})


def variables_of_engines() -> dict[str, str]:
    """Those of this process that set an engine up, without what authenticates somebody."""
    return {
        name: value for name, value in os.environ.items() if name.startswith(ENGINES_OWN) and not name.endswith(SECRETS)
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
