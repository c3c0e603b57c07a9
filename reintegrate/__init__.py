"""Put a winner back where its kernel came from: the smallest patch, on a branch, without touching anyone's checkout."""

from reintegrate.describe import commit_message
from reintegrate.landing import land, stands
from reintegrate.patch import patch_of

__all__ = ["commit_message", "land", "patch_of", "stands"]
