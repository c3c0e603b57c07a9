"""Harnesses to FlashInfer Trace and back: Definition, Solution and Workload files as `flashinfer-bench` reads them.

A Definition fixes dtypes, flags and chosen sizes, so a harness gives one for each such choice of its timed workloads;
sizes that vary freely stay variable. What that schema has no place for (regions, provenance, layouts, weights) is not
lost: every file of the harness is a source of the Solution, under the harness's own name.
"""

from extract.interchange.exporting import export_trace
from extract.interchange.importing import import_trace

__all__ = ["export_trace", "import_trace"]
