"""Every transform, those that most often pay first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kmaint.agent.transforms.base import Subject, Transform
from kmaint.agent.transforms.cache_hints import CACHE_HINTS
from kmaint.agent.transforms.cast_round_trips import CAST_ROUND_TRIPS
from kmaint.agent.transforms.constant_arguments import CONSTANT_DIVISORS, CONSTANT_STRIDES
from kmaint.agent.transforms.early_loads import EARLY_LOADS
from kmaint.agent.transforms.exp2_for_exp import EXP2_FOR_EXP
from kmaint.agent.transforms.full_masks import FULL_MASKS
from kmaint.agent.transforms.grid_mapping import GRID_MAPPING
from kmaint.agent.transforms.hoist_invariants import HOIST_INVARIANTS
from kmaint.agent.transforms.index_width import INDEX_WIDTH
from kmaint.agent.transforms.launch import LAUNCH, launch_space
from kmaint.agent.transforms.merge_loads import MERGE_LOADS
from kmaint.agent.transforms.more_segments import MORE_SEGMENTS
from kmaint.agent.transforms.one_pass import ONE_PASS
from kmaint.agent.transforms.persistent_programs import PERSISTENT_PROGRAMS
from kmaint.agent.transforms.pipelined_loops import PIPELINED_LOOPS
from kmaint.agent.transforms.reciprocal import RECIPROCAL
from kmaint.agent.transforms.register_cap import REGISTER_CAP
from kmaint.agent.transforms.rsqrt import RSQRT
from kmaint.agent.transforms.space import Space
from kmaint.agent.transforms.static_loops import STATIC_LOOPS
from kmaint.agent.transforms.tile_programs import TILE_PROGRAMS

TRANSFORMS: tuple[Transform, ...] = (
    TILE_PROGRAMS,
    LAUNCH,
    MORE_SEGMENTS,
    ONE_PASS,
    EARLY_LOADS,
    PERSISTENT_PROGRAMS,
    PIPELINED_LOOPS,
    FULL_MASKS,
    CONSTANT_DIVISORS,
    CONSTANT_STRIDES,
    RECIPROCAL,
    RSQRT,
    STATIC_LOOPS,
    GRID_MAPPING,
    HOIST_INVARIANTS,
    MERGE_LOADS,
    EXP2_FOR_EXP,
    INDEX_WIDTH,
    CACHE_HINTS,
    CAST_ROUND_TRIPS,
    REGISTER_CAP,
)

SPACES: Mapping[str, Callable[[Subject], Space]] = {LAUNCH.name: launch_space}
"""Transforms whose variants form a grid, which is searched instead of listed."""
