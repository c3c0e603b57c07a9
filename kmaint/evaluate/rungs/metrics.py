"""The numbers that ncu is asked for, and its table of them read into records.

Names as in the Nsight Compute documentation and its own sections for sm_90. Of a unit that a release names otherwise,
both names are asked for: what a chip does not have is "n/a" in the table, and absent in the record.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kmaint.counted import STALLS
from kmaint.records.counters import KernelCounters


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A field of KernelCounters, the names by which ncu may know it, and what makes one number of several launches."""

    field: str
    names: tuple[str, ...]
    merged: Literal["sum", "mean"] = "mean"


def _metric(field: str, *names: str, merged: Literal["sum", "mean"] = "mean") -> Metric:
    return Metric(field=field, names=names, merged=merged)


ELAPSED, ACTIVE = "avg.pct_of_peak_sustained_elapsed", "avg.pct_of_peak_sustained_active"


def _stall(field: str) -> Metric:
    return _metric(field, f"smsp__average_warps_issue_{field}_per_issue_active.ratio")


METRICS: tuple[Metric, ...] = (
    _metric("time_us", "gpu__time_duration.sum", merged="sum"),
    _metric("programs", "launch__grid_size"),
    _metric("dram_read_bytes", "dram__bytes_read.sum", "dram__bytes_op_read.sum", merged="sum"),
    _metric("dram_written_bytes", "dram__bytes_write.sum", "dram__bytes_op_write.sum", merged="sum"),
    _metric("dram_percent", f"dram__throughput.{ELAPSED}", f"gpu__dram_throughput.{ELAPSED}"),
    _metric("l2_percent", f"lts__throughput.{ELAPSED}"),
    _metric("l2_hit_percent", "lts__t_sector_hit_rate.pct"),
    _metric("l1_percent", f"l1tex__throughput.{ACTIVE}"),
    _metric("multiprocessor_percent", f"sm__throughput.{ELAPSED}"),
    _metric("issue_percent", f"smsp__issue_active.{ACTIVE}", f"sm__inst_issued.{ACTIVE}"),
    _metric("tensor_percent", f"sm__pipe_tensor_cycles_active.{ACTIVE}", f"sm__inst_executed_pipe_tensor.{ACTIVE}"),
    _metric("fma_percent", f"sm__inst_executed_pipe_fma.{ACTIVE}"),
    _metric("alu_percent", f"sm__inst_executed_pipe_alu.{ACTIVE}"),
    _metric("special_percent", f"sm__inst_executed_pipe_xu.{ACTIVE}"),
    _metric("occupancy_percent", f"sm__warps_active.{ACTIVE}"),
    _metric("most_occupancy_percent", "sm__maximum_warps_per_active_cycle_pct"),
    _metric("programs_by_registers", "launch__occupancy_limit_registers"),
    _metric("programs_by_shared", "launch__occupancy_limit_shared_mem"),
    _metric("waves", "launch__waves_per_multiprocessor"),
    _metric("warps_per_issue", "smsp__average_warp_latency_per_inst_issued.ratio"),
    *map(_stall, STALLS),
    _metric("sectors_per_load", "l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_ld.ratio"),
    _metric("bank_conflicts", "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum", merged="sum"),
    _metric("shared_wavefronts", "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum", merged="sum"),
    _metric("mean_active_cycles", "sm__cycles_active.avg", merged="sum"),
    _metric("most_active_cycles", "sm__cycles_active.max", merged="sum"),
)

UNITS: Mapping[str, Mapping[str, float]] = {
    "_us": {"nsecond": 1e-3, "ns": 1e-3, "usecond": 1.0, "us": 1.0, "msecond": 1e3, "ms": 1e3, "second": 1e6, "s": 1e6},
    "_bytes": {"byte": 1.0, "Kbyte": 1e3, "Mbyte": 1e6, "Gbyte": 1e9, "Tbyte": 1e12},
}
"""By a field's suffix, how much of it one of ncu's units is: it prints base units, whose names differ by release."""

FIRST_COLUMN, NAME_COLUMN = "ID", "Kernel Name"


def asked_for() -> str:
    """All names, as ncu takes them."""
    return ",".join(name for metric in METRICS for name in metric.names)


def read_table(text: str) -> tuple[KernelCounters, ...]:
    """The kernels of ncu's raw page, the longest first; none where there is no table in the text.

    A line of names, one of units, then one for each launch; lines that begin with "==" are ncu's own words.
    """
    by_kernel: defaultdict[str, list[KernelCounters]] = defaultdict(list)
    for launch in _launches(text):
        by_kernel[launch.kernel].append(launch)
    found = [merged(launches) for launches in by_kernel.values()]
    return tuple(sorted(found, key=lambda one: -(one.time_us or 0.0)))


def _launches(text: str) -> Iterator[KernelCounters]:
    names: list[str] = []
    units: dict[str, str] = {}
    for row in csv.reader(line for line in text.splitlines() if not line.startswith("==")):
        if row[:1] == [FIRST_COLUMN] and NAME_COLUMN in row:
            names, units = row, {}
        elif names and len(row) == len(names):
            cells = dict(zip(names, row, strict=True))
            if not cells[FIRST_COLUMN]:
                units = cells
            else:
                values = {metric.field: _value(metric, cells, units) for metric in METRICS}
                yield KernelCounters(kernel=cells[NAME_COLUMN], launches=1, **values)


def _value(metric: Metric, cells: Mapping[str, str], units: Mapping[str, str]) -> float | None:
    """The first of the metric's names that has a number, in the field's unit."""
    known = next((factors for suffix, factors in UNITS.items() if metric.field.endswith(suffix)), None)
    for name in metric.names:
        factor = 1.0 if known is None else known.get(units.get(name, ""))
        number = number_of(cells.get(name, ""))
        if number is not None and factor is not None:
            return number * factor
    return None


def number_of(text: str) -> float | None:
    """A cell as a number; None for "n/a", nothing, and what is not finite."""
    try:
        found = float(text.replace(",", ""))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def merged(launches: Sequence[KernelCounters]) -> KernelCounters:
    """One record of all launches of a kernel. A sum of which a part is absent is absent; a mean is of what is there."""
    weights = [one.time_us or 0.0 for one in launches]
    if not all(weights):
        weights = [1.0] * len(launches)
    values = {}
    for metric in METRICS:
        given = [getattr(one, metric.field) for one in launches]
        values[metric.field] = _summed(given) if metric.merged == "sum" else _mean(given, weights)
    return KernelCounters(kernel=launches[0].kernel, launches=sum(one.launches for one in launches), **values)


def _summed(given: Iterable[float | None]) -> float | None:
    known = list(given)
    return None if None in known else math.fsum(value for value in known if value is not None)


def _mean(given: Iterable[float | None], weights: Sequence[float]) -> float | None:
    known = [(value, weight) for value, weight in zip(given, weights, strict=True) if value is not None]
    total = math.fsum(weight for _, weight in known)
    return math.fsum(value * (weight / total) for value, weight in known) if known else None
