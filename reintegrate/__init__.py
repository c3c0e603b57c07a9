"""Put a winner back where its kernel came from: the smallest patch, on a branch, without touching anyone's checkout."""

from reintegrate.companions import with_companions
from reintegrate.describe import commit_message
from reintegrate.hunks import changed_lines, contents_before, hunks_of, patch_digest
from reintegrate.kinds.choosing import choose, choose_again
from reintegrate.kinds.cuda.edit import file_patch
from reintegrate.kinds.cuda.guarded import trap
from reintegrate.kinds.win import Declined, Win
from reintegrate.landing import Rules, land, stands
from reintegrate.patch import patch_of
from reintegrate.rebase import Conflict, rebase, rebase_file, rebase_guarded_file, with_regions
from reintegrate.repository import clean_clone, open_repository

__all__ = [
    "Conflict",
    "Declined",
    "Rules",
    "Win",
    "changed_lines",
    "choose",
    "choose_again",
    "clean_clone",
    "commit_message",
    "contents_before",
    "file_patch",
    "hunks_of",
    "land",
    "open_repository",
    "patch_digest",
    "patch_of",
    "rebase",
    "rebase_file",
    "rebase_guarded_file",
    "stands",
    "trap",
    "with_companions",
    "with_regions",
]
