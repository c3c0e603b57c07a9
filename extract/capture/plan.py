"""What to watch: the chosen kernels, and the host functions that launch them."""

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


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a record may hold of each launcher and kernel in each process, and what it may cost."""

    exact: int = 256
    """Calls that are all described; of later ones every `stride`-th is, and stands for that many."""
    stride: int = 31
    """A prime that no model's layers repeat with: they come in twos, threes, fours, fives, sixes and eights."""
    settled: int = 4096
    """Calls after which a program mostly repeats itself: of those beyond, every `sparse`-th is described."""
    sparse: int = 251
    """A prime as well."""
    ways: int = 512
    """Ways of being called that are told apart; further ones are only counted."""
    sampled: int = 32
    """How many of those keep values of their index tensors; the others keep the lowest and the highest."""
    values: int = 4096
    """Elements of an index tensor that are kept."""


def targets(tree: Path, kernels: Iterable[Kernel]) -> tuple[Target, ...]:
    """Each plain function of the framework that launches one of the kernels, and each kernel that Triton launches.

    A harness begins at the launcher where that closes, else at the kernel itself, which nobody knows beforehand.
    """
    place = locate(tree)
    found: dict[str, Target] = {}
    for kernel in kernels:
        for host in kernel.launchers:
            # of CUDA the host functions may be C++, which nothing here can watch
            if host.path.endswith(".py") and "." not in host.qualname and host.qualname != "<module>":
                found[host.id] = _target(place, host.path, host.qualname, kernel=False)
        if kernel.role == "kernel" and kernel.language in AT_OWN_LEVEL:
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
