"""A backend in the framework's own registry, for a kernel whose operator serving dispatches elsewhere.

An edit would change a fallback that nobody measured, a branch would never be reached. What serves stays as it is:
nothing here was timed against it.
"""

from reintegrate.kinds.registry.backends import registry_patch
from reintegrate.kinds.registry.elsewhere import served_elsewhere

__all__ = ["registry_patch", "served_elsewhere"]
