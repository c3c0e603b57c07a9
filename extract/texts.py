"""The text of every kernel of a tree, as a digest: what tells a kernel that was changed from one that only moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from kmaint import wire
from kmaint.records.kernel import Kernel, Scan


def kernel_texts(scan: Scan) -> dict[str, str]:
    """A digest for each id: of its lines and its decorators, in which a tuner's configurations stand.

    Kernels of one id, as overloads in CUDA are, have one digest together.
    """
    files: dict[str, list[Kernel]] = defaultdict(list)
    for kernel in scan.kernels:
        files[kernel.path].append(kernel)
    parts: dict[str, list[str]] = defaultdict(list)
    for path, kernels in files.items():
        lines = (Path(scan.tree) / path).read_text(errors="replace").splitlines()
        for kernel in kernels:
            parts[kernel.id].append(_text(lines, kernel))
    return {name: _digest(texts) for name, texts in parts.items()}


def _text(lines: list[str], kernel: Kernel) -> str:
    """Trailing blanks say nothing, and how far it is indented only where it stands."""
    own = [line.rstrip() for line in lines[kernel.line - 1 : kernel.end_line]]
    margin = min((len(line) - len(line.lstrip()) for line in own if line), default=0)
    return "\n".join([*kernel.decorators, *(line[margin:] for line in own)])


def _digest(texts: Iterable[str]) -> str:
    return wire.digest("\0".join(sorted(texts)), length=16)
