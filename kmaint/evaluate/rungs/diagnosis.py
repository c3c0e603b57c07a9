"""From counters to one bottleneck: a fixed order of questions, each of which names the evidence it rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kmaint.counted import STALLS, shares
from kmaint.records.counters import Counters, KernelCounters
from kmaint.records.evaluation import Bottleneck

BUSY_PERCENT = 60.0
"""Of a unit's peak: Nsight Compute's own speed-of-light rule calls a kernel whose units all stay below it bound by
latency."""
AS_BUSY = 12.0
"""Points of a peak. What DRAM moves passes the L2, which is then as busy or a little more, and waits for DRAM."""
EXCESS = 1.25
"""Times the fewest bytes: less than that more is what sectors of 32 bytes and tails cost."""
SHORT_US = 5.0
"""Of all kernels of a call: a launch and a first load that misses take two of them."""
IDLE = 0.25
"""Of a multiprocessor's cycles on the average, with the longest one's as the measure: worth a step, as an empty part of
the last wave is."""
FEW_RESIDENT_PERCENT = 25.0
"""Sixteen warps of 64: four a scheduler hide less than a load from memory takes."""
WAITING = 0.3
"""A share of the waiting that no other reason is likely to exceed: there are more than a dozen."""
SCATTERED_SECTORS = 16.0
"""A load of 128 bits by each lane, side by side, touches as many: more means that lanes lie apart."""
CONFLICTING = 0.3
"""Of the passes over shared memory, so many that are there only for conflicts are worth another layout."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """One class, the line of evidence for it, and what would have to move."""

    bottleneck: Bottleneck
    evidence: str
    next_step: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the questions look at: the kernel that takes longest, and what is known of the call."""

    longest: KernelCounters
    counters: Counters
    fewest_bytes: float | None
    """That the call has to move; None where the contract does not say."""
    multiprocessors: int


Question = Callable[[Seen], Diagnosis | None]


def diagnose(seen: Seen) -> Diagnosis | None:
    """The first question's answer that is yes; None where no counter speaks for a class."""
    for question in QUESTIONS:
        if found := question(seen):
            named = f"{seen.longest.kernel}: " if len(seen.counters.kernels) > 1 else ""
            return Diagnosis(
                bottleneck=found.bottleneck, evidence=f"{named}{found.evidence}", next_step=found.next_step
            )
    return None


def _is_memory_busy(seen: Seen) -> Diagnosis | None:
    one = seen.longest
    units = (("DRAM", one.dram_percent), ("the L2", one.l2_percent), ("the L1", one.l1_percent))
    most = max(percent or 0.0 for _, percent in units)
    if most < max(BUSY_PERCENT, one.multiprocessor_percent or 0.0):
        return None
    name, percent = next((name, percent) for name, percent in units if percent and percent >= most - AS_BUSY)
    evidence, step = f"{name} at {percent:.0f} % of its peak", BUSY_MEMORY[name]
    excess = _excess(seen)
    if name == "DRAM" and excess is not None and excess > EXCESS:
        evidence += f", moving {excess:.1f} times the bytes that the call has to"
        step = "move each byte once: fuse passes, or keep what is read again in registers or shared memory"
    if name == "the L1" and (one.sectors_per_load or 0.0) > SCATTERED_SECTORS:
        evidence += f", {one.sectors_per_load:.0f} sectors a global load"
        step = "let neighbouring lanes load neighbouring addresses: another order of the axes or of the programs"
    elif name == "the L1" and (conflicts := _conflicts(one)) > CONFLICTING:
        evidence, step = f"{evidence}, {conflicts:.0%} of shared accesses are bank conflicts", NO_CONFLICTS
    return Diagnosis(bottleneck="memory", evidence=evidence, next_step=step)


BUSY_MEMORY = {
    "DRAM": "move fewer bytes: the memory itself gives little more",
    "the L2": "let a program keep what it shares with others: larger tiles, or an order in which neighbours meet",
    "the L1": "use wider loads and fewer of them, and keep in registers what is loaded again",
}


NO_CONFLICTS = "lay shared memory out without bank conflicts: pad or swizzle rows"


def _conflicts(one: KernelCounters) -> float:
    """Bank conflicts as a share of the passes over shared memory; 0 where they are not known."""
    return (one.bank_conflicts or 0.0) / one.shared_wavefronts if one.shared_wavefronts else 0.0


def _excess(seen: Seen) -> float | None:
    """Bytes that DRAM moved over the fewest; None where either is unknown."""
    parts = [part for one in seen.counters.kernels for part in (one.dram_read_bytes, one.dram_written_bytes)]
    if not seen.fewest_bytes or None in parts:
        return None
    return sum(part for part in parts if part is not None) / seen.fewest_bytes


def _is_arithmetic_busy(seen: Seen) -> Diagnosis | None:
    one = seen.longest
    percent = one.multiprocessor_percent
    if not percent or percent < BUSY_PERCENT:
        return None
    parts = {
        "the tensor pipe": one.tensor_percent,
        "the fma pipe": one.fma_percent,
        "the alu pipe": one.alu_percent,
        "the special pipe": one.special_percent,
        "the issue of instructions": one.issue_percent,
    }
    name, share = max(parts.items(), key=lambda part: part[1] or 0.0)
    part = f", {name} at {share:.0f} %" if share else ""
    return Diagnosis(
        bottleneck="compute",
        evidence=f"multiprocessors at {percent:.0f} % of their peak{part}",
        next_step=BUSY_ARITHMETIC.get(name, "issue fewer instructions: hoist invariants, wider loads, less indexing"),
    )


BUSY_ARITHMETIC = {
    "the tensor pipe": "do less matrix work: skip masked tiles, or take a narrower type if the contract allows it",
    "the special pipe": "use fewer exponentials, divisions and conversions: exp2, one reciprocal for many",
}


def _has_few_programs(seen: Seen) -> Diagnosis | None:
    programs = seen.longest.programs
    if programs is None or programs >= seen.multiprocessors:
        return None
    return Diagnosis(
        bottleneck="latency",
        evidence=f"{programs:.0f} programs for {seen.multiprocessors} multiprocessors",
        next_step="make more programs of the work: split what each one has, by rows, heads or the reduced axis",
    )


def _is_short(seen: Seen) -> Diagnosis | None:
    times = [one.time_us for one in seen.counters.kernels if one.time_us is not None]
    launches = sum(one.launches for one in seen.counters.kernels)
    if len(times) < len(seen.counters.kernels) or sum(times) >= SHORT_US:
        return None
    many = launches > 1
    return Diagnosis(
        bottleneck="latency",
        evidence=f"{sum(times):.1f} us in {launches} launch{'es' if many else ''}: little more than starting takes",
        next_step="make one launch of them"
        if many
        else "shorten the chain of loads: independent ones first, wider ones",
    )


def _is_uneven(seen: Seen) -> Diagnosis | None:
    one = seen.longest
    if one.mean_active_cycles is None or not one.most_active_cycles:
        return None
    idle = 1.0 - one.mean_active_cycles / one.most_active_cycles
    if idle < IDLE:
        return None
    waves = f" over {one.waves:.2f} waves" if one.waves is not None else ""
    return Diagnosis(
        bottleneck="imbalance",
        evidence=f"multiprocessors have no work in {idle:.0%} of the longest one's cycles{waves}",
        next_step="split long rows, order the programs by their work, or fill the last wave",
    )


def _has_few_warps(seen: Seen) -> Diagnosis | None:
    one = seen.longest
    if one.most_occupancy_percent is None or one.most_occupancy_percent > FEW_RESIDENT_PERCENT:
        return None
    limits = {"registers": one.programs_by_registers, "shared memory": one.programs_by_shared}
    known = {name: programs for name, programs in limits.items() if programs is not None}
    by = min(known, key=lambda name: known[name]) if known else "registers or shared memory"
    room = f", for {known[by]:.0f} programs by their {by}" if known else ""
    return Diagnosis(
        bottleneck="occupancy",
        evidence=f"at most {one.most_occupancy_percent:.0f} % of the warps have room{room}",
        next_step=f"lower {by} a program, so that more warps are resident",
    )


def _do_warps_wait(seen: Seen) -> Diagnosis | None:
    one = seen.longest
    reason, share = next(iter(shares(one).items()), ("", 0.0))
    if share < WAITING:
        return None
    resident = "" if one.occupancy_percent is None else f" at {one.occupancy_percent:.0f} % occupancy"
    evidence = f"warps wait for {STALLS[reason]} in {share:.0%} of their time{resident}"
    step = WAITED_FOR[reason]
    on_shared = reason in ("stalled_short_scoreboard", "stalled_mio_throttle")
    if on_shared and (conflicts := _conflicts(one)) > CONFLICTING:
        evidence, step = f"{evidence}, and {conflicts:.0%} of shared accesses are bank conflicts", NO_CONFLICTS
    return Diagnosis(
        bottleneck="compute" if reason == "stalled_math_pipe_throttle" else "latency", evidence=evidence, next_step=step
    )


WAITED_FOR = {
    "stalled_long_scoreboard": "load earlier and more at once: several independent rows a program, wider loads, stages",
    "stalled_short_scoreboard": "use shared memory and special functions less, or put independent work between",
    "stalled_barrier": "wait less for one another: fewer barriers, fewer warps a program, reductions inside a warp",
    "stalled_math_pipe_throttle": "use fewer instructions of the busy pipe, or spread them over two",
    "stalled_lg_throttle": "use fewer and wider global accesses",
    "stalled_mio_throttle": "use fewer and wider shared accesses, and fewer special functions in a row",
    "stalled_wait": "give each warp independent instructions: unroll, or several rows a program",
}

QUESTIONS: tuple[Question, ...] = (
    _is_memory_busy,
    _is_arithmetic_busy,
    _has_few_programs,
    _is_short,
    _is_uneven,
    _has_few_warps,
    _do_warps_wait,
)
"""First what no edit but less work helps; then what leaves units empty, whatever a warp does; then what warps do."""
