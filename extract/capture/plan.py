"""What to watch: the host functions that launch the chosen kernels, and kernels themselves where those do not do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from extract.tree import SourceTree, locate
from kmaint.records.kernel import Kernel

AT_OWN_LEVEL = ("triton", "gluon")
"""Languages whose kernels have a `run` that all launches go through."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A function or kernel to watch: how the program imports it, and `id`, its `path::qualname` in the tree."""

    module: str
    qualname: str
    kernel: bool
    id: str


def targets(tree: Path, kernels: Iterable[Kernel], *, own_level: bool = False) -> tuple[Target, ...]:
    """Each plain function of the framework that launches one of the kernels.

    A kernel that a method launches is watched itself, since a harness of it begins there; with `own_level` each is.
    """
    place = locate(tree)
    found: dict[str, Target] = {}
    for kernel in kernels:
        plain = [host for host in kernel.launchers if "." not in host.qualname and host.qualname != "<module>"]
        for host in plain:
            found[host.id] = _target(place, host.path, host.qualname, kernel=False)
        if kernel.language in AT_OWN_LEVEL and (own_level or len(plain) < len(kernel.launchers) or not plain):
            found[kernel.id] = _target(place, kernel.path, kernel.qualname, kernel=True)
    return tuple(one for _, one in sorted(found.items()) if one.module.split(".")[0] == place.framework)


def _target(tree: SourceTree, path: str, qualname: str, *, kernel: bool) -> Target:
    # Of two definitions under one name, `#2` in an id, a program executes one.
    return Target(
        module=tree.module_of(tree.root / path),
        qualname=qualname.partition("#")[0],
        kernel=kernel,
        id=f"{path}::{qualname}",
    )
