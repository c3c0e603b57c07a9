"""The kernel that a user means."""

from __future__ import annotations

from collections.abc import Callable

from kmaint.errors import UsageError
from kmaint.records.kernel import Kernel, Scan

NAMINGS: tuple[Callable[[Kernel], set[str]], ...] = (
    lambda kernel: {kernel.id},
    lambda kernel: {kernel.name, kernel.qualname},
    lambda kernel: {name for host in kernel.launchers for name in (host.qualname, host.id)},
)
"""How a user may name a kernel: the most exact way that fits anything decides."""


def find_kernel(scan: Scan, text: str) -> Kernel:
    """The kernel of that id, bare name, or launcher's name. UsageError where there is none or more than one.

    Overloads in CUDA C++ share an id, as they share the operator that launches them: the first stands for them.
    """
    for names in NAMINGS:
        found = [kernel for kernel in scan.kernels if text in names(kernel)]
        if found and all(kernel.id == found[0].id for kernel in found):
            return found[0]
        if found:
            ids = ", ".join(kernel.id for kernel in found[:6])
            more = f" and {len(found) - 6} more" if len(found) > 6 else ""
            raise UsageError(f"{text!r} names {len(found)} kernels: {ids}{more}", "give the whole id")
    raise UsageError(f"{scan.tree}: no kernel {text!r}", f"nearest: {_nearest(scan, text)}")


def named_launcher(kernel: Kernel, text: str) -> str | None:
    """The operator of a CUDA kernel that the text names: each is cut out for itself, with its own include closure."""
    if kernel.language != "cuda" or any(text in names(kernel) for names in NAMINGS[:2]):
        return None
    return next((host.qualname for host in kernel.launchers if text in (host.qualname, host.id)), None)


def _nearest(scan: Scan, text: str) -> str:
    import difflib  # here only: a scan that finds what was meant needs none of it

    by_name = {kernel.name: kernel.id for kernel in scan.kernels}
    by_id = {kernel.id: kernel.id for kernel in scan.kernels}
    near = difflib.get_close_matches(text, by_id if "::" in text else by_name, n=3, cutoff=0.4)
    return (
        ", ".join((by_id if "::" in text else by_name)[name] for name in near) or "none; 'kmaint scan TREE' lists them"
    )
