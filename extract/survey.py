"""A scan with what is asked for beyond it: history and heat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from extract.scan import scan_tree
from kmaint.records.kernel import Scan

Progress = Callable[[str], None]


def survey(
    tree: Path, progress: Progress, *, traces: Sequence[Path] = (), history: bool = False, use_cache: bool = True
) -> Scan:
    """Every kernel, with history and heat on request; `traces` are files or folders of profiles."""
    scan = scan_tree(tree, use_cache=use_cache)
    if history:
        from extract.evidence.history import add_history  # these two only when asked for: a scan is to be fast

        scan = add_history(tree, scan, progress)
    if traces:
        from extract.profiles.hot import add_heat

        progress(f"reading {', '.join(map(str, traces))}")
        scan = add_heat(scan, traces)
    return scan
