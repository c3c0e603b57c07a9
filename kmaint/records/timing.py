"""What was timed: raw samples of each workload, ratios with their intervals, and what the device said meanwhile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A ratio (original over candidate: above 1 is faster) with its 95 % interval."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What CUPTI recorded of one replay, for each call: time with work on the device, and how many records."""

    busy_us: float
    launches: float
    streams: int
    kernels: tuple[str, ...]
    """Names, each once, in the order of their first launch; the first dozen of them."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """State of the device at one moment, by NVML; a number that it did not give is absent."""

    sm_mhz: int | None
    temperature_c: int | None
    power_w: float | None
    limited_by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WorkloadTiming:
    """Paired samples of one workload in microseconds per call, device time by CUDA-graph replay; `eager` by wall clock.

    `noise` is the A/A interval of the same session, `control_*_us` its samples. `floor_us` is the roofline's, absent
    where traffic is unknown.
    """

    workload: str
    weight: float
    original_us: tuple[float, ...]
    candidate_us: tuple[float, ...]
    speedup: Interval
    noise: Interval
    eager: Interval | None = None
    floor_us: float | None = None
    control_a_us: tuple[float, ...] = ()
    control_b_us: tuple[float, ...] = ()
    dropped: int = 0
    """Blocks in which the SM clock moved or the device waited for its host: measured again, as long as few were."""
    late: int = 0
    """Blocks among the samples in which the device waited for its host: of these the times are the host's."""
    conditions: tuple[Conditions, ...] = ()
    """Before the first block and after the last."""
    original_trace: Trace | None = None
    candidate_trace: Trace | None = None
    wall_ratio: float | None = None
    """Original over candidate as timed from outside the worker's process."""
    compared: int | None = None
    """Timed calls whose outputs were judged in another process."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """All workloads of one comparison. `speedup` is their weighted geometric mean."""

    workloads: tuple[WorkloadTiming, ...]
    speedup: Interval
    noise_floor: float
    """The smallest gain that counts: max of the A/A spread and 1 %, as a fraction."""
