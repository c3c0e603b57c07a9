"""Put a winner back where its kernel came from: the smallest patch, on a branch, without touching anyone's checkout."""

from reintegrate.describe import commit_message
from reintegrate.hunks import changed_lines, contents_before, hunks_of, patch_digest
from reintegrate.landing import land, stands
from reintegrate.patch import patch_of
from reintegrate.rebase import Conflict, rebase, with_regions
from reintegrate.repository import clean_clone, open_repository

__all__ = [
    "Conflict",
    "changed_lines",
    "clean_clone",
    "commit_message",
    "contents_before",
    "hunks_of",
    "land",
    "open_repository",
    "patch_digest",
    "patch_of",
    "rebase",
    "stands",
    "with_regions",
]
