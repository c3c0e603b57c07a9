"""Rung 8: from compiler facts and, where there are any, times and counters to one bottleneck and a roofline's share."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kmaint.evaluate.rungs.diagnosis import Seen, diagnose
from kmaint.expression import number
from kmaint.records.counters import Counters
from kmaint.records.evaluation import Bottleneck, Environment, Profile, Resources
from kmaint.records.timing import Timing
from kmaint.records.workload import Contract, Workload
from kmaint.roofline import near_the_roofline, reached

ASSUMED_BANDWIDTH_GBPS = 4200.0
"""A large device-to-device copy on one H200; used for estimates only, where no GPU was there to measure."""
PEAK_TFLOPS = {"sm_80": 250.0, "sm_90": 780.0, "sm_100": 1800.0}
"""Dense bf16 matrix work that a good kernel sustains; a kernel without matrix instructions reaches far less."""
ASSUMED_MULTIPROCESSORS = 132
LAUNCH_US = 1.0
"""One kernel inside a CUDA graph."""
MEMORY_LATENCY_US = 0.75
"""A load that misses the L2 on an H200, under some load."""
SCHEDULERS = 4
CLOCK_MHZ = 1700.0
REGISTERS_PER_MULTIPROCESSOR = 65536
SHARED_PER_MULTIPROCESSOR = 228 * 1024
WARPS_PER_MULTIPROCESSOR = 64
BLOCKS_PER_MULTIPROCESSOR = 32
IDLE_TAIL = 0.25
"""Of the places that its waves have, so many left empty by the last one are worth a step."""
LATENCY_BOUND_US = 5.0

NEXT_STEP: Mapping[Bottleneck, str] = {
    "memory": "keep more bytes in flight, by pipelined or wider loads, or move fewer",
    "latency": "give each program more independent loads: several rows or heads a program, wider loads",
    "compute": "use fewer or cheaper instructions: hoist invariants, exp2 for exp, one pass instead of two",
    "occupancy": "lower registers or shared memory a program, so that more warps are resident",
    "imbalance": "split long rows or order the programs so that the last wave is full",
    "library": "leave it to the library",
    "unknown": "time it on a GPU",
}
LEAVE = "leave it: it runs at {:.0%} of the roofline"
UNTIED = "look at it with a profiler: what the compiler says is tied to no launch"
"""Of what was timed and is no Triton kernel."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One launch as compiled: its resources, how many programs it has, and its global loads in the SASS."""

    resources: Resources
    programs: int
    loads: int
    constants: Mapping[str, str]


def floor_us(contract: Contract, workload: Workload, environment: Environment) -> float | None:
    """The least time that memory and arithmetic allow; None where the contract does not say the traffic."""
    if not contract.traffic:
        return None
    bandwidth = environment.memory_bandwidth_gbps or ASSUMED_BANDWIDTH_GBPS
    memory = number(contract.traffic, workload.axes) / bandwidth / 1e3
    if not contract.flops:
        return memory
    return max(memory, number(contract.flops, workload.axes) / PEAK_TFLOPS.get(environment.arch, 780.0) / 1e6)


def resident_warps(resources: Resources) -> int:
    """How many warps of the kernel fit on one multiprocessor at a time."""
    per_program = resources.num_warps * 32 * max(16, math.ceil(resources.registers / 8) * 8)
    programs = min(
        REGISTERS_PER_MULTIPROCESSOR // per_program,
        SHARED_PER_MULTIPROCESSOR // (resources.shared_bytes + 1024),
        WARPS_PER_MULTIPROCESSOR // resources.num_warps,
        BLOCKS_PER_MULTIPROCESSOR,
    )
    return programs * resources.num_warps


def estimate_us(launch: Launch, traffic_bytes: float, environment: Environment) -> float:
    """An estimate by Little's law, to rank candidates where there is no GPU; never a measurement.

    Bytes in flight are resident warps x 32 lanes x load width x independent loads, at most what a program has to move,
    all assumed to be outstanding at once; throughput is those bytes a memory latency, at most the memory's. To it come
    a launch, a latency for the first wave and the last, and the issue of each instruction once at one warp instruction
    a cycle and scheduler: loops are not counted, and nothing overlaps.
    """
    resources = launch.resources
    multiprocessors = environment.multiprocessors or ASSUMED_MULTIPROCESSORS
    warps = max(resident_warps(resources), resources.num_warps)
    flying_programs = min(launch.programs, multiprocessors * warps // resources.num_warps)
    loaded_bytes = resources.num_warps * 32 * max(resources.load_bits, 8) / 8 * max(launch.loads, 1)
    in_flight_bytes = max(1.0, flying_programs * min(loaded_bytes, traffic_bytes / launch.programs))
    bandwidth = environment.memory_bandwidth_gbps or ASSUMED_BANDWIDTH_GBPS
    memory_us = traffic_bytes / min(in_flight_bytes / MEMORY_LATENCY_US, bandwidth * 1e3)
    waves = math.ceil(launch.programs / flying_programs)
    issued = launch.programs * resources.num_warps * resources.instructions
    issue_us = issued / (multiprocessors * SCHEDULERS) / CLOCK_MHZ
    return LAUNCH_US + MEMORY_LATENCY_US * min(waves, 2) + memory_us + issue_us + waves * resources.spill_bytes * 0.01


def estimate_total_us(launches: Sequence[Launch], contract: Contract, environment: Environment) -> dict[str, float]:
    """Estimated microseconds of each timed workload, as compiled; its launches share the traffic by their programs."""
    found: dict[str, float] = {}
    for workload in contract.timed:
        own = [launch for launch in launches if launch.resources.workload == workload.name]
        if not own:
            continue
        traffic = number(contract.traffic, workload.axes) if contract.traffic else _moved_bytes(own)
        programs = sum(launch.programs for launch in own)
        found[workload.name] = sum(
            estimate_us(launch, traffic * launch.programs / programs, environment) for launch in own
        )
    return found


def _moved_bytes(launches: Sequence[Launch]) -> float:
    """Where the contract does not say: what the loads and stores would move if each ran once in every thread."""
    return sum(
        launch.programs * launch.resources.num_warps * 32 * (launch.loads * launch.resources.load_bits / 8)
        for launch in launches
    )


def profile(
    launches: Sequence[Launch],
    timing: Timing | None,
    contract: Contract,
    environment: Environment,
    *,
    library: bool = False,
) -> Profile:
    """What holds the kernel back. Without times the fraction comes from the estimate, and so says the record.

    `library`: all of its work is done by others' kernels.
    """
    resources = tuple(launch.resources for launch in launches)
    if timing is None:
        times = estimate_total_us(launches, contract, environment)
    else:
        times = {w.workload: statistics.median(w.candidate_us) for w in timing.workloads}
    shares = _shares(times, contract, environment)
    fraction = _mean(shares, contract)
    complete = all(one.name in shares for one in contract.timed)
    least = min((shares[one.name] for one in contract.timed), default=None) if complete else None
    at_roofline = reached(fraction, least)
    bottleneck = "library" if library else classify(launches, times, environment, at_roofline=at_roofline)
    return Profile(
        bottleneck=bottleneck,
        estimated=timing is None,
        resources=resources,
        roofline_fraction=fraction,
        next_step=_next_step(bottleneck, fraction if at_roofline else None, timed=timing is not None),
        bytes_per_program=_bytes_per_program(launches, contract),
        least_fraction=least,
    )


def with_counters(found: Profile, counters: Counters, contract: Contract, environment: Environment) -> Profile:
    """The profile with what was counted, and with the class that this speaks for.

    Where no counter speaks for one, the class stays; so does that of a library's kernels, and what is to be left.
    """
    fewest = {one.name: number(contract.traffic, one.axes) for one in contract.workloads} if contract.traffic else {}
    seen = Seen(
        longest=counters.kernels[0],
        counters=counters,
        fewest_bytes=fewest.get(counters.workload),
        multiprocessors=environment.multiprocessors or ASSUMED_MULTIPROCESSORS,
    )
    diagnosis = diagnose(seen)
    if diagnosis is None or found.bottleneck == "library":
        return replace(found, counters=counters)
    if near_the_roofline(found):
        return replace(found, evidence=diagnosis.evidence, counters=counters)
    return replace(
        found,
        bottleneck=diagnosis.bottleneck,
        evidence=diagnosis.evidence,
        next_step=diagnosis.next_step,
        counters=counters,
        uncounted=found.bottleneck,
    )


def _next_step(bottleneck: Bottleneck, share: float | None, *, timed: bool) -> str:
    """What would have to move; that it is to be left only with the fraction that was reached, as measured."""
    if timed and share is not None:
        return LEAVE.format(share)
    return UNTIED if bottleneck == "unknown" and timed else NEXT_STEP[bottleneck]


def _bytes_per_program(launches: Sequence[Launch], contract: Contract) -> float | None:
    """Of the workload that moves most."""
    if not contract.traffic or not contract.workloads:
        return None
    moved, name = max((number(contract.traffic, workload.axes), workload.name) for workload in contract.workloads)
    programs = sum(launch.programs for launch in launches if launch.resources.workload == name)
    return moved / programs if programs else None


def _shares(times: Mapping[str, float], contract: Contract, environment: Environment) -> dict[str, float]:
    """Floor over time of the workloads that have both."""
    floors = {one.name: floor_us(contract, one, environment) for one in contract.workloads}
    return {name: floor / times[name] for name, floor in floors.items() if floor and times.get(name)}


def _mean(shares: Mapping[str, float], contract: Contract) -> float | None:
    """Weighted and geometric; None where none of them counts."""
    pairs = [(one.weight, shares[one.name]) for one in contract.workloads if one.name in shares]
    total = sum(weight for weight, _ in pairs)
    return math.exp(sum(weight * math.log(ratio) for weight, ratio in pairs) / total) if total else None


def classify(
    launches: Sequence[Launch], times: Mapping[str, float], environment: Environment, *, at_roofline: bool
) -> Bottleneck:
    """One class by a fixed order of questions, each of which names the evidence it rests on."""
    if at_roofline:
        return "memory"
    if not launches:
        return "unknown"
    resources = [launch.resources for launch in launches]
    if any(found.spill_bytes for found in resources) or any(resident_warps(found) < 16 for found in resources):
        return "occupancy"
    if any(_issue_share(launch, times, environment) > 0.6 for launch in launches):
        return "compute"
    if any(_idle_tail(launch, environment) > IDLE_TAIL for launch in launches):
        return "imbalance"
    narrow = any(0 < found.load_bits < 128 for found in resources)
    short = bool(times) and statistics.median(times.values()) < LATENCY_BOUND_US
    return "latency" if narrow or short else "memory"


def _idle_tail(launch: Launch, environment: Environment) -> float:
    """The share of its waves' places that stay empty; 0 where one wave does not even fill up: that is for want of
    programs."""
    multiprocessors = environment.multiprocessors or ASSUMED_MULTIPROCESSORS
    places = multiprocessors * max(1, resident_warps(launch.resources) // launch.resources.num_warps)
    waves = launch.programs / places
    return 1.0 - waves / math.ceil(waves) if waves > 1.0 else 0.0


def _issue_share(launch: Launch, times: Mapping[str, float], environment: Environment) -> float:
    """Time to issue every instruction once, as a share of the time taken; loops make it larger than this."""
    multiprocessors = environment.multiprocessors or ASSUMED_MULTIPROCESSORS
    taken = times.get(launch.resources.workload)
    if not taken:
        return 0.0
    warps = launch.programs * launch.resources.num_warps
    return warps * launch.resources.instructions / (multiprocessors * SCHEDULERS) / CLOCK_MHZ / taken
