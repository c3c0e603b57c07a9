"""Finds kernels in a framework's tree and cuts one out, with its launcher, into a folder that stands alone."""

from extract.contract import is_catalogued
from extract.fetch import fetch_release
from extract.scan import find_kernel, scan_tree
from extract.slicer import extract_kernel
from extract.tree import open_tree

__all__ = ["extract_kernel", "fetch_release", "find_kernel", "is_catalogued", "open_tree", "scan_tree"]
