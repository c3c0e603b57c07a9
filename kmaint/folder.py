"""The harness folder on disk: what its files are called, and how they are read and written.

harness.toml  kernel.py  shims.py  workloads.json  reference.py  test_kernel.py  tried.json  failures.json  parity.json
README.md  runtime/
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import tomlkit

from kmaint import wire
from kmaint.errors import HarnessError
from kmaint.records.harness import Harness
from kmaint.records.parity import Parity
from kmaint.records.workload import Contract

MANIFEST, KERNEL, SHIMS, WORKLOADS, REFERENCE, SUITE, PARITY = (
    "harness.toml",
    "kernel.py",
    "shims.py",
    "workloads.json",
    "reference.py",
    "test_kernel.py",
    "parity.json",
)
INCLUDE = "include"
"""Folder of a harness in CUDA C++ with what its kernel's file includes of the tree, each at its path there."""
MARKER = re.compile(r"^# region (?P<path>\S+):(?P<line>\d+)-(?P<end>\d+) (?P<symbol>\S+)$")
END = "# endregion"


def sha256(content: str | bytes) -> str:
    """Hex digest of a file's content or of a span of its lines."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def write_text(path: Path, content: str) -> None:
    """Write a file so that it is either as it was or whole, whenever we are killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def forward(folder: Path, path: str, file: str) -> None:
    """Where the kernel's file of CUDA C++ was in the tree, below include/, a link to `file` at the folder's top.

    The compiler looks for "x.h" beside the path that it was given, so the file finds what stood beside it. A copy that
    followed links has a second text there instead, which a candidate would be built of.
    """
    place = folder / INCLUDE / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(os.path.relpath(folder / file, place.parent))


def read_harness(folder: Path) -> Harness:
    """The harness in a folder. HarnessError where the folder is none, or where its provenance is missing or broken."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise HarnessError(
            f"{folder}: no {MANIFEST} in it, so not a harness", "make one with 'kmaint extract TREE ID -o DIR'"
        )
    data = _parse(manifest)
    if "provenance" not in data:
        raise HarnessError(f"{manifest}: no [provenance], so its kernel cannot be traced", "extract it again")
    try:
        return wire.load(Harness, {**data, "folder": folder, "contract": read_contract(folder)})
    except ValueError as error:
        detail = "; ".join(str(error).splitlines()[1:3]).strip()
        raise HarnessError(f"{manifest}: not as kmaint writes it: {detail}", "extract it again") from error


def _parse(manifest: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(manifest.read_text())
    except tomllib.TOMLDecodeError as error:
        raise HarnessError(f"{manifest}: {error}", "extract it again") from error


def read_contract(folder: Path) -> Contract:
    """workloads.json as a record. HarnessError where it is missing or malformed."""
    path = folder / WORKLOADS
    try:
        return wire.load(Contract, json.loads(path.read_text()))
    except FileNotFoundError as error:
        raise HarnessError(f"{path}: missing", "extract the kernel again") from error
    except ValueError as error:
        raise HarnessError(
            f"{path}: not as kmaint writes it: {str(error).splitlines()[0]}", "extract it again"
        ) from error


def write_manifest(harness: Harness) -> None:
    """harness.toml and workloads.json of the record, in its folder."""
    data = wire.dump(harness)
    contract = data.pop("contract")
    del data["folder"]
    (harness.folder / MANIFEST).write_text(tomlkit.dumps(_without_none(data)))
    (harness.folder / WORKLOADS).write_text(json.dumps(contract, indent=1) + "\n")


def harness_digest(folder: Path) -> str:
    """sha256 of what a harness computes and on which workloads: its code, its stand-ins and its contract."""
    parts = [folder / name for name in (KERNEL, SHIMS, WORKLOADS)] + sorted(folder.glob("kernel.cu*"))
    return sha256("\0".join(part.read_text() if part.is_file() else "" for part in parts))


def read_parity(folder: Path) -> Parity | None:
    """What was found when the harness was held against the shipped op; None where that is of another content or absent.

    HarnessError where the file is no such record.
    """
    path = folder / PARITY
    if not path.is_file():
        return None
    try:
        found = wire.load(Parity, json.loads(path.read_text()))
    except ValueError as error:
        raise HarnessError(
            f"{path}: not as kmaint writes it: {str(error).splitlines()[0]}", "run parity again"
        ) from error
    return found if found.harness_sha256 == harness_digest(folder) else None


def write_parity(folder: Path, parity: Parity) -> None:
    """parity.json of a harness."""
    write_text(folder / PARITY, wire.text(parity, indent=1) + "\n")


def _without_none(value: Any) -> Any:
    """TOML has no null: an absent key says the same."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def indented(text: str, columns: int) -> str:
    """The text moved to the right, as a region that was lifted out of a class or function stands in the tree."""
    lines = text.splitlines(keepends=True)
    return "".join(" " * columns + line if line.strip() else line for line in lines) if columns else text


def split_regions(source: str) -> dict[tuple[str, str], str]:
    """The text of each region of a kernel.py, by path and symbol; what stands between regions belongs to kmaint."""
    regions: dict[tuple[str, str], str] = {}
    key: tuple[str, str] | None = None
    lines: list[str] = []
    for line in source.splitlines(keepends=True):
        if found := MARKER.match(line.rstrip("\n")):
            key, lines = (found["path"], found["symbol"]), []
        elif line.rstrip("\n") == END and key is not None:
            regions[key], key = "".join(lines), None
        elif key is not None:
            lines.append(line)
    return regions
