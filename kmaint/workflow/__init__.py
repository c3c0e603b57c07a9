"""The road, stage by stage: the only room that knows all others. Each function is one command."""

from kmaint.workflow.attesting import attest
from kmaint.workflow.exporting import export_trace, export_trajectories
from kmaint.workflow.extracting import ExtractedTree, capture, extract_all, extract_kernel, sources_of
from kmaint.workflow.handing import next_request, submit
from kmaint.workflow.improving import optimize
from kmaint.workflow.keeping import all_wins
from kmaint.workflow.landing import earlier_landing, land
from kmaint.workflow.learning import open_environment, spent_by, statistics
from kmaint.workflow.nightly import Wanted, nightly
from kmaint.workflow.proposing import Proposed, Wish, propose
from kmaint.workflow.rechecking import Rechecked, recheck
from kmaint.workflow.remembering import all_lessons, export_lessons
from kmaint.workflow.reporting import write_campaign, write_reports
from kmaint.workflow.road import Maintained, maintain, maintain_kernel, most_worth_it
from kmaint.workflow.runs import Listed, find_run, list_runs, request_of, run_folder
from kmaint.workflow.testing import check, hold, mutate, write_tests
from kmaint.workflow.watching import Glimpse, watch

__all__ = [
    "ExtractedTree",
    "Glimpse",
    "Listed",
    "Maintained",
    "Proposed",
    "Rechecked",
    "Wanted",
    "Wish",
    "all_lessons",
    "all_wins",
    "attest",
    "capture",
    "check",
    "earlier_landing",
    "export_lessons",
    "export_trace",
    "export_trajectories",
    "extract_all",
    "extract_kernel",
    "find_run",
    "hold",
    "land",
    "list_runs",
    "maintain",
    "maintain_kernel",
    "most_worth_it",
    "mutate",
    "next_request",
    "nightly",
    "open_environment",
    "optimize",
    "propose",
    "recheck",
    "request_of",
    "run_folder",
    "sources_of",
    "spent_by",
    "statistics",
    "submit",
    "watch",
    "write_campaign",
    "write_reports",
    "write_tests",
]
