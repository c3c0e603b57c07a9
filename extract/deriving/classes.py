"""What kind of size an axis is, by its name."""

from __future__ import annotations

import re

CLASSES: tuple[tuple[str, str], ...] = (
    ("head_dim", r"head_?(size|dim)|^hd$|rotary_dim|rope_dim|nope_dim|^d_head"),
    ("heads", r"head"),
    ("topk", r"top_?k"),
    ("experts", r"expert|^e$"),
    ("group", r"group_?size|block_?size|^block"),
    ("slots", r"slot|num_blocks|num_pages|pool|cache|vocab|max_"),
    ("width", r"hidden|inter|^dim|_dim|^d$|^n$|^k$|width|cols|features|size$|last|channels|stride"),
    ("tokens", r""),
)


def class_of(axis: str) -> str:
    """What kind of size an axis of that name is."""
    return next(kind for kind, pattern in CLASSES if re.search(pattern, axis))
