"""The kernels of the campaign, as kernels.toml names them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmaint import wire
from kmaint.errors import UsageError

HOME = Path(__file__).parent
ROOT = HOME.parent.parent
TABLE = HOME / "kernels.toml"

FAMILIES = (
    *("norm", "activation", "rotary", "cache write", "quantisation"),
    *("state merge", "attention decode", "MoE", "sampling", "state space"),
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One kernel of one release, what it computes, and whether serving on NVIDIA runs it as shipped.

    `only` says for which models, requests or settings it does, empty where for all.
    `shipped` is the operator that serving runs there instead, empty where it runs this kernel; `call` defines the entry
    by that operator, of the stated `package`. `launcher` chooses the entry where several launch the kernel.
    """

    id: str
    release: str
    family: str
    hot_path: bool
    why: str
    only: str = ""
    shipped: str = ""
    package: str = ""
    call: str = ""
    launcher: str | None = None

    @property
    def name(self) -> str:
        return self.id.rpartition("::")[2]

    @property
    def framework(self) -> str:
        return self.release.partition("==")[0]

    @property
    def version(self) -> str:
        return self.release.partition("==")[2]

    @property
    def language(self) -> str:
        return "triton" if self.id.partition("::")[0].endswith(".py") else "cuda"


def read_entries(path: Path = TABLE) -> list[Entry]:
    """Every kernel of the file in its order. UsageError for an entry that contradicts itself or stands there twice."""
    entries = [_entry(data, path) for data in tomllib.loads(path.read_text())["kernel"]]
    keys = [(entry.id, entry.release) for entry in entries]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise UsageError(f"{path}: {twice[0][0]} stands in it twice", "leave one of them out")
    return entries


def _entry(data: dict[str, Any], path: Path) -> Entry:
    if unknown := sorted(set(data) - set(Entry.__dataclass_fields__)):
        raise UsageError(f"{path}: {data.get('id')}: unknown key {unknown[0]!r}", "see the comment at its top")
    try:
        entry = wire.load(Entry, data)
    except ValueError as error:
        detail = "; ".join(str(error).splitlines()[1:3]).strip()
        raise UsageError(f"{path}: {data.get('id')}: {detail}", "see the comment at its top") from error
    if entry.family not in FAMILIES:
        raise UsageError(f"{path}: {entry.id}: unknown family {entry.family!r}", f"known are {', '.join(FAMILIES)}")
    if entry.hot_path == bool(entry.shipped):
        said = "is on the hot path, so nothing else is shipped" if entry.hot_path else "does not say what serving runs"
        raise UsageError(f"{path}: {entry.id} {said}", "give either hot_path = true or shipped")
    if entry.only and not entry.hot_path:
        raise UsageError(f"{path}: {entry.id}: only says when serving runs it, and it does not", "leave it out")
    if bool(entry.package) != bool(entry.call) or (entry.call and not entry.shipped):
        raise UsageError(f"{path}: {entry.id}: call, package and shipped belong together", "give all three")
    return entry
