"""Where pull requests go: GitHub, or a folder that holds the same as would be sent."""

from reintegrate.forge.commits import evidence_commit, signed_commit
from reintegrate.forge.on_disk import PatchForge
from reintegrate.forge.proposing import Forge, propose
from reintegrate.forge.pushing import address_of
from reintegrate.forge.token import find_token

__all__ = ["Forge", "PatchForge", "address_of", "evidence_commit", "find_token", "propose", "signed_commit"]
