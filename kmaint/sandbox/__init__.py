"""Walls around measured code: bubblewrap where it holds, else Landlock with seccomp, else none, and said so."""

from kmaint.sandbox.walls import DISK_BYTES, LAUNCHER, NO_WALLS, Level, Sandbox, sandbox
from kmaint.sandbox.workspace import workspace_walls

__all__ = ["DISK_BYTES", "LAUNCHER", "NO_WALLS", "Level", "Sandbox", "sandbox", "workspace_walls"]
