"""Kinds of edit: few enough to learn about within a budget, and what a profile says for and against each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, get_args

from kmaint.records.evaluation import Bottleneck, Profile
from kmaint.roofline import near_the_roofline

Kind = Literal["launch", "tiling", "access", "arithmetic", "indexing", "passes"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Named = Literal[Kind, "smaller"]
"""As a planner names it: of tiling, that which holds less in one program is told apart."""

MEANS: Mapping[Named, str] = {
    "launch": "warps, stages, block sizes, a limit of registers",
    "tiling": "more, or other, work in one program: rows, tiles, loops unrolled, persistent programs",
    "smaller": "less held in one program at a time: smaller tiles, a loop split, fewer values alive",
    "access": "how bytes come and go: widths of loads and stores, masks, caches, prefetching",
    "arithmetic": "how values are computed: cheaper functions, fewer operations, precision, what moves out of a loop",
    "indexing": "how addresses are computed, and which program does what",
    "passes": "which bytes move at all: passes fused, intermediate results not stored, input not needed left out",
}
"""What a planner is told of each."""

WORDS: tuple[tuple[Kind, str], ...] = (
    ("launch", r"launch|warp|stages|block size|occupan|autotun|register|pipelin"),
    ("passes", r"pass\b|passes|fus(e|ion)|split|merge[ _]kernel"),
    ("tiling", r"tile|tiling|rows|per program|persistent|segment|unroll|loop"),
    ("access", r"load|store|mask|cache|vector|coalesc|prefetch|shared memory|alignment|output"),
    ("indexing", r"index|grid|address|stride|int32|pointer|order of programs"),
    ("arithmetic", r"exp|recip|divi|sqrt|math|hoist|invariant|fma|cast|precision|arithmetic"),
)
"""What an edit's name or a model's words are told by; the first kind with a word in them is it."""

ADDRESSES: dict[Bottleneck, tuple[Kind, ...]] = {
    "memory": ("tiling", "access", "passes"),
    "latency": ("tiling", "launch", "access"),
    "compute": ("arithmetic", "passes", "indexing", "tiling"),
    "occupancy": ("launch", "tiling"),
    "imbalance": ("indexing", "tiling", "launch"),
    "library": (),
    "unknown": KINDS,
}
"""Kinds that a bottleneck speaks for. The others are less likely to help, and not ruled out."""

MANY_REGISTERS = 168
"""A thread that has so many has no room for twice the tile."""

CROWDED = "it spills or has hardly a register left, so more in one program makes it slower"


def kind_of(edit: str) -> Kind | None:
    """The kind of an edit by its name or words; None where neither says."""
    text = edit.lower().replace("_", " ")
    return next((kind for kind, words in WORDS if re.search(words, text)), None)


def ruled_out(profile: Profile) -> dict[Kind, str]:
    """Kinds of edit that cannot help, and why. An estimated time rules nothing out, the compiler's facts do."""
    out: dict[Kind, str] = {}
    if profile.bottleneck == "memory" and near_the_roofline(profile):
        kinds: tuple[Kind, ...] = ("launch", "tiling", "arithmetic", "indexing")
        out |= dict.fromkeys(kinds, "at the roofline only fewer bytes help")
    if not profile.estimated and profile.bottleneck == "compute":
        out["access"] = "bound by arithmetic, it does not wait for memory"
    if any(one.spill_bytes or one.registers >= MANY_REGISTERS for one in profile.resources):
        out["tiling"] = CROWDED
    return out


def why_not(named: Named | None, excluded: Mapping[Kind, str]) -> str:
    """Which kind of edit is excluded, and why; empty where it is not, or nobody says which it is.

    A crowded program may be asked to hold less.
    """
    kind = "tiling" if named == "smaller" else named
    if kind is None or kind not in excluded or (named == "smaller" and excluded[kind] == CROWDED):
        return ""
    return f"{named}, which the profile rules out: {excluded[kind]}"
