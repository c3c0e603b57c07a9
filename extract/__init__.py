"""Finds kernels in a framework's tree and cuts one out, with its launcher, into a folder that stands alone."""

from extract.capture import calls_for_tree, framework_of, read_capture, read_record, run_captured, targets
from extract.contract import is_catalogued
from extract.cuda import extract_cuda
from extract.everything import Wanted, extract_all, extract_kernel, launched
from extract.fetch import fetch_release
from extract.scan import find_kernel, scan_tree
from extract.tree import open_tree

__all__ = [
    "Wanted",
    "calls_for_tree",
    "extract_all",
    "extract_cuda",
    "extract_kernel",
    "fetch_release",
    "find_kernel",
    "framework_of",
    "is_catalogued",
    "launched",
    "open_tree",
    "read_capture",
    "read_record",
    "run_captured",
    "scan_tree",
    "targets",
]
