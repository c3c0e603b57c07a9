"""Counters in words, the same for who plans, who reviews and who reads a report."""

from __future__ import annotations

from collections.abc import Mapping

from kmaint.records.counters import Counters, KernelCounters

MOST_KERNELS = 3
"""That are told of: the longest; the others stand in the record."""

UNITS: Mapping[str, str] = {
    "dram_percent": "DRAM",
    "l2_percent": "L2",
    "l1_percent": "L1",
    "multiprocessor_percent": "multiprocessors",
    "issue_percent": "issue slots",
}
PIPES: Mapping[str, str] = {
    "tensor_percent": "tensor",
    "fma_percent": "fma",
    "alu_percent": "alu",
    "special_percent": "special",
}
STALLS: Mapping[str, str] = {
    "stalled_long_scoreboard": "global loads",
    "stalled_short_scoreboard": "shared memory or special functions",
    "stalled_barrier": "barriers",
    "stalled_math_pipe_throttle": "a busy arithmetic pipe",
    "stalled_lg_throttle": "a full queue of global accesses",
    "stalled_mio_throttle": "a full queue of shared accesses",
    "stalled_wait": "the instruction before",
}
"""What warps wait for, by field."""
TELLING = 0.05
"""A smaller share of the waiting is not told of."""


def shares(one: KernelCounters) -> dict[str, float]:
    """Of the time that warps spend between two of their instructions, the share of each reason, the largest first."""
    if not one.warps_per_issue:
        return {}
    known = {field: value / one.warps_per_issue for field in STALLS if (value := getattr(one, field)) is not None}
    return dict(sorted(known.items(), key=lambda pair: -pair[1]))


def lines(counters: Counters) -> list[str]:
    """A line for each group of numbers of each of the longest kernels; what was not given is left out."""
    found = [f"counted by hardware in one call on {counters.workload}, caches cold"]
    for one in counters.kernels[:MOST_KERNELS]:
        groups = (_listed(one, UNITS), _listed(one, PIPES), _resident(one), _waiting(one), _traffic(one))
        found += [f"{_name(one)}: {'; '.join(group for group in groups if group) or 'nothing'}"]
    if more := len(counters.kernels) - MOST_KERNELS:
        found += [f"and {more} shorter kernels"] if more > 0 else []
    return found


def _name(one: KernelCounters) -> str:
    times = f" x {one.launches}" if one.launches > 1 else ""
    return f"{one.kernel}{times}{'' if one.time_us is None else f', {one.time_us:.1f} us'}"


def _listed(one: KernelCounters, names: Mapping[str, str]) -> str:
    known = ((name, getattr(one, field)) for field, name in names.items())
    return ", ".join(f"{name} {value:.0f} %" for name, value in known if value is not None)


def _resident(one: KernelCounters) -> str:
    parts = []
    if one.occupancy_percent is not None:
        most = "" if one.most_occupancy_percent is None else f" of at most {one.most_occupancy_percent:.0f} %"
        parts.append(f"occupancy {one.occupancy_percent:.0f} %{most}")
    if one.programs is not None:
        waves = "" if one.waves is None else f" in {one.waves:.2f} waves"
        parts.append(f"{one.programs:.0f} programs{waves}")
    return ", ".join(parts)


def _waiting(one: KernelCounters) -> str:
    told = [f"{STALLS[field]} {share:.0%}" for field, share in shares(one).items() if share >= TELLING]
    return f"warps wait for {', '.join(told)}" if told else ""


def _traffic(one: KernelCounters) -> str:
    parts = []
    if one.dram_read_bytes is not None and one.dram_written_bytes is not None:
        parts.append(f"{one.dram_read_bytes / 1e6:.2f} MB read and {one.dram_written_bytes / 1e6:.2f} MB written")
    if one.l2_hit_percent is not None:
        parts.append(f"{one.l2_hit_percent:.0f} % hits in the L2")
    if one.sectors_per_load is not None:
        parts.append(f"{one.sectors_per_load:.1f} sectors a global load")
    if one.bank_conflicts is not None and one.shared_wavefronts:
        parts.append(f"{one.bank_conflicts / one.shared_wavefronts:.0%} of shared accesses are bank conflicts")
    return ", ".join(parts)
