"""Copies of Triton's cache: what was compiled once for an original is not compiled again beside each candidate.

Only ever from a folder that no process of a candidate writes to, into one that such a process may read.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path


def copy_kernels(kept: Path, into: Path) -> None:
    """Copy the folders of `kept`, in place of what `into` has by that name, which a candidate may have written while it
    was compiled. What another process is writing there is left out."""
    if into.is_symlink():
        into.unlink()
    for folder in kept.iterdir() if kept.is_dir() else ():
        target = into / folder.name
        if not folder.is_dir():
            continue
        if target.is_symlink() or target.is_file():
            target.unlink()
        shutil.rmtree(target, ignore_errors=True)
        with contextlib.suppress(OSError, shutil.Error):
            shutil.copytree(folder, target, ignore=shutil.ignore_patterns("tmp.*"))
        for group in target.glob("__grp__*.json"):
            # It names its files by their full paths.
            group.write_text(group.read_text().replace(str(kept), str(into)))
