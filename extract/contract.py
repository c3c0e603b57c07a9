"""The contract of a launcher: written down in the catalogue where somebody has read the kernel, derived otherwise."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from extract.derive import derive
from extract.derived import Derived, NotDerivable
from kmaint import wire
from kmaint.records.kernel import Kernel
from kmaint.records.workload import Contract

__all__ = ["Derived", "Entry", "NotDerivable", "catalogue", "contract_for", "is_catalogued", "read_entry"]

CATALOGUE = Path(__file__).parent / "catalogue"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One folder of the catalogue: the launcher it describes, and `kernels`, any of which it may be asked for by."""

    framework: str
    entry: str
    kernels: tuple[str, ...]
    derived: Derived


def contract_for(kernel_source: str, kernel: str, entry: str, framework: str) -> Derived:
    """The catalogue's contract of that launcher, or one derived from its source; NotDerivable where neither can be.

    `kernel_source` is a kernel.py that imports nothing but torch, triton and the standard library.
    """
    for known in catalogue():
        if (known.framework, known.entry) == (framework, entry) and kernel in known.kernels:
            return _weighed(known.derived)
    return _weighed(derive(kernel_source, entry, framework))


def _weighed(derived: Derived) -> Derived:
    """The same with weights that add up to 1, so that each is a share."""
    total = sum(workload.weight for workload in derived.contract.workloads)
    workloads = tuple(replace(one, weight=one.weight / total) for one in derived.contract.workloads)
    return replace(derived, contract=replace(derived.contract, workloads=workloads))


def is_catalogued(kernel: Kernel, framework: str) -> bool:
    """Whether somebody wrote down how to call the launcher of a kernel of that name."""
    return any(known.framework == framework and kernel.name in known.kernels for known in catalogue())


@functools.cache
def catalogue() -> tuple[Entry, ...]:
    """Every entry, in order of its folder's name."""
    return tuple(read_entry(path.parent) for path in sorted(CATALOGUE.glob("*/contract.toml")))


def read_entry(folder: Path) -> Entry:
    """contract.toml and reference.py of one folder; ValueError where a key is unknown or a value malformed."""
    data = tomllib.loads((folder / "contract.toml").read_text())
    manifest = {name: data.pop(name) for name in ("framework", "entry", "kernels")}
    described = {name: data.pop(name) for name in ("op", "compute")}
    reference = (folder / "reference.py").read_text()
    derived = Derived(contract=wire.load(Contract, data), reference=reference, **described)
    return Entry(**{**manifest, "kernels": tuple(manifest["kernels"])}, derived=derived)
