"""Every transform, those that most often pay first."""

from __future__ import annotations

from kmaint.agent.transforms.base import Transform
from kmaint.agent.transforms.cache_hints import CACHE_HINTS
from kmaint.agent.transforms.exp2_for_exp import EXP2_FOR_EXP
from kmaint.agent.transforms.full_masks import FULL_MASKS
from kmaint.agent.transforms.grid_mapping import GRID_MAPPING
from kmaint.agent.transforms.hoist_invariants import HOIST_INVARIANTS
from kmaint.agent.transforms.index_width import INDEX_WIDTH
from kmaint.agent.transforms.launch import LAUNCH
from kmaint.agent.transforms.merge_loads import MERGE_LOADS
from kmaint.agent.transforms.one_pass import ONE_PASS
from kmaint.agent.transforms.reciprocal import RECIPROCAL
from kmaint.agent.transforms.tile_programs import TILE_PROGRAMS

TRANSFORMS: tuple[Transform, ...] = (
    TILE_PROGRAMS,
    LAUNCH,
    ONE_PASS,
    FULL_MASKS,
    RECIPROCAL,
    GRID_MAPPING,
    HOIST_INVARIANTS,
    MERGE_LOADS,
    EXP2_FOR_EXP,
    INDEX_WIDTH,
    CACHE_HINTS,
)
