"""Finds kernels in a framework's tree and cuts one out, with its launcher, into a folder that stands alone."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extract.capture import calls_for_tree, framework_of, read_capture, read_record, run_captured, targets
    from extract.cuda import extract_cuda
    from extract.deriving.contract import is_catalogued
    from extract.fetch import fetch_release, newest_release
    from extract.scan import find_kernel, named_launcher, scan_tree
    from extract.texts import kernel_texts
    from extract.tree import FRAMEWORKS, open_tree
    from extract.trying.everything import Sources, Wanted, extract_all, extract_kernel, launched

__all__ = [
    "FRAMEWORKS",
    "Sources",
    "Wanted",
    "calls_for_tree",
    "extract_all",
    "extract_cuda",
    "extract_kernel",
    "fetch_release",
    "find_kernel",
    "framework_of",
    "is_catalogued",
    "kernel_texts",
    "launched",
    "named_launcher",
    "newest_release",
    "open_tree",
    "read_capture",
    "read_record",
    "run_captured",
    "scan_tree",
    "targets",
]

_HOMES = {
    "extract.capture": ("calls_for_tree", "framework_of", "read_capture", "read_record", "run_captured", "targets"),
    "extract.deriving.contract": ("is_catalogued",),
    "extract.cuda": ("extract_cuda",),
    "extract.trying.everything": ("Sources", "Wanted", "extract_all", "extract_kernel", "launched"),
    "extract.fetch": ("fetch_release", "newest_release"),
    "extract.scan": ("find_kernel", "named_launcher", "scan_tree"),
    "extract.texts": ("kernel_texts",),
    "extract.tree": ("FRAMEWORKS", "open_tree"),
}
"""Imported when first asked for: together they take longer than a scan of a tree that did not change."""


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
