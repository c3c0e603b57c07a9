"""A landed win for the commands on one."""

from tests.landed import landed, own_git, tree, won

__all__ = ["landed", "own_git", "tree", "won"]
