"""Cuts a kernel out of a tree: what it needs, what stands in for the rest, and the text of it."""
