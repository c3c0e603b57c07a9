"""Put a winner back where its kernel came from: the smallest patch, on a branch, without touching anyone's checkout."""

from reintegrate.companions import with_companions
from reintegrate.describe import commit_message
from reintegrate.kinds.choosing import choose
from reintegrate.kinds.win import Win
from reintegrate.landing import Rules, land, stands
from reintegrate.patch import patch_of

__all__ = ["Rules", "Win", "choose", "commit_message", "land", "patch_of", "stands", "with_companions"]
