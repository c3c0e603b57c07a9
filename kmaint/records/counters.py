"""What the hardware counted while one call ran: chosen numbers of each kernel; one that was not given is absent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class KernelCounters:
    """All launches of one kernel in one call: times, bytes and counts are their sum, the others means weighted by time.

    A `_percent` is of the peak that the unit can sustain, 0 to 100. `stalled_*` are warps that stood still for that
    reason while one instruction was issued; `warps_per_issue` are all warps, those that did not stand still with them.
    """

    kernel: str
    launches: int
    time_us: float | None = None
    programs: float | None = None
    """Of one launch."""
    dram_read_bytes: float | None = None
    dram_written_bytes: float | None = None
    dram_percent: float | None = None
    l2_percent: float | None = None
    l2_hit_percent: float | None = None
    l1_percent: float | None = None
    multiprocessor_percent: float | None = None
    """Of what its busiest part can do: a pipe, or the issue of instructions."""
    issue_percent: float | None = None
    """Cycles in which a scheduler issued anything."""
    tensor_percent: float | None = None
    fma_percent: float | None = None
    alu_percent: float | None = None
    special_percent: float | None = None
    """Of the pipe for exponentials, reciprocals and conversions."""
    occupancy_percent: float | None = None
    """Resident warps, of the most that a multiprocessor holds."""
    most_occupancy_percent: float | None = None
    """What the kernel's registers, shared memory and warps let that be."""
    programs_by_registers: float | None = None
    """How many programs fit on a multiprocessor by their registers alone."""
    programs_by_shared: float | None = None
    """Likewise by their shared memory."""
    waves: float | None = None
    warps_per_issue: float | None = None
    stalled_long_scoreboard: float | None = None
    """On loads from global or local memory."""
    stalled_short_scoreboard: float | None = None
    """On shared memory or the special pipe."""
    stalled_barrier: float | None = None
    stalled_math_pipe_throttle: float | None = None
    stalled_lg_throttle: float | None = None
    """On a full queue of instructions that access global memory."""
    stalled_mio_throttle: float | None = None
    """On a full queue of instructions for shared memory and special functions."""
    stalled_wait: float | None = None
    """On an instruction of fixed latency before."""
    sectors_per_load: float | None = None
    """Pieces of 32 bytes that one global load of a warp touches: 4 of 32 bits each side by side, 16 of 128 bits."""
    bank_conflicts: float | None = None
    shared_wavefronts: float | None = None
    """Passes over shared memory, of which bank conflicts are a part."""
    mean_active_cycles: float | None = None
    """In which a multiprocessor had work: of all of them, and of the one that had it longest."""
    most_active_cycles: float | None = None


@dataclass(frozen=True, kw_only=True)
class Counters:
    """One call on one workload with cold caches; kernels by their time, the longest first."""

    workload: str
    kernels: tuple[KernelCounters, ...]
