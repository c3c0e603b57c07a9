"""The road, stage by stage: the only room that knows all others. Each function is one command."""

from kmaint.workflow.extracting import ExtractedTree, capture, extract_all, extract_kernel, sources_of
from kmaint.workflow.improving import optimize
from kmaint.workflow.landing import earlier_landing, land, write_reports
from kmaint.workflow.nightly import Wanted, nightly
from kmaint.workflow.road import Maintained, maintain, maintain_kernel, most_worth_it
from kmaint.workflow.runs import all_runs, find_run, run_folder
from kmaint.workflow.testing import check, hold, mutate, write_tests

__all__ = [
    "ExtractedTree",
    "Maintained",
    "Wanted",
    "all_runs",
    "capture",
    "check",
    "earlier_landing",
    "extract_all",
    "extract_kernel",
    "find_run",
    "hold",
    "land",
    "maintain",
    "maintain_kernel",
    "most_worth_it",
    "mutate",
    "nightly",
    "optimize",
    "run_folder",
    "sources_of",
    "write_reports",
    "write_tests",
]
