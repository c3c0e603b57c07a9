"""Kinds of edit: few enough to learn about within a budget, and what a profile says for and against each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, get_args

from kmaint.records.evaluation import Bottleneck, Profile
from kmaint.roofline import AT_THE_ROOFLINE

Kind = Literal["launch", "tiling", "access", "arithmetic", "indexing", "passes"]
KINDS: tuple[Kind, ...] = get_args(Kind)

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
SMALLER = re.compile(r"\b(small|fewer|less|narrow|hal[fv]|split|shrink|reduc)")


def kind_of(edit: str) -> Kind | None:
    """The kind of an edit by its name or words; None where neither says."""
    text = edit.lower().replace("_", " ")
    return next((kind for kind, words in WORDS if re.search(words, text)), None)


def ruled_out(profile: Profile) -> dict[Kind, str]:
    """Kinds of edit that cannot help, and why. An estimated time rules nothing out, the compiler's facts do."""
    out: dict[Kind, str] = {}
    if not profile.estimated and profile.bottleneck == "memory" and _at_the_roofline(profile):
        kinds: tuple[Kind, ...] = ("launch", "tiling", "arithmetic", "indexing")
        out |= dict.fromkeys(kinds, "at the roofline only fewer bytes help")
    if not profile.estimated and profile.bottleneck == "compute":
        out["access"] = "bound by arithmetic, it does not wait for memory"
    if any(one.spill_bytes or one.registers >= MANY_REGISTERS for one in profile.resources):
        out["tiling"] = CROWDED
    return out


def why_not(edit: str, excluded: Mapping[Kind, str]) -> str:
    """The kind of an edit that is excluded, and why; empty where it is not, or asks a crowded program to hold less."""
    kind = kind_of(edit)
    if kind is None or kind not in excluded or (excluded[kind] == CROWDED and SMALLER.search(edit.lower())):
        return ""
    return f"{kind}, which the profile rules out: {excluded[kind]}"


def _at_the_roofline(profile: Profile) -> bool:
    return profile.roofline_fraction is not None and profile.roofline_fraction >= AT_THE_ROOFLINE
