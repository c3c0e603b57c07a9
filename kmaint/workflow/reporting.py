"""A run to a page and a pull-request text, and many runs to one page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import reports
from kmaint import folder
from kmaint.config import Config
from kmaint.errors import HarnessError, UsageError
from kmaint.records.change import Landing
from kmaint.records.run import Run
from kmaint.records.spent import Spent
from kmaint.workflow.backing import backing_of, bench_of_patch, benches_with_patch
from kmaint.workflow.landing import earlier_landing
from kmaint.workflow.learning import spent_by
from kmaint.workflow.runs import run_folder

CAMPAIGN = "campaign.html"


def write_reports(run: Run, config: Config, landing: Landing | None) -> tuple[Path, Path]:
    """report.html and pull_request.md of a run, in its folder."""
    harness = folder.read_harness(Path(run.harness))
    into = run_folder(run, config)
    pull_request = into / "pull_request.md"
    backing, _ = backing_of(run, harness, landing, config)
    folder.write_text(pull_request, reports.pull_request_text(run, harness, landing, backing))
    [(_, spent)] = spent_by([run.id], config)
    account = reports.Account(
        run=run, harness=harness, spent=spent, landing=landing, engines=tuple(benches_with_patch(run, config))
    )
    return reports.write_report(account, into / "report.html"), pull_request


def write_campaign(runs: Sequence[str] | None, into: Path | None, config: Config) -> tuple[Path, list[str]]:
    """One page for those runs, or for all where they are None, with links to their own pages, which are written too.

    Gives the page, and why a run is not on it: one whose harness is gone cannot be told of.
    """
    if runs is not None and not runs:
        raise UsageError("no run is named", "name one or more, or say --all")
    page = into or config.state / CAMPAIGN
    entries, left_out = [], []
    for run, spent in spent_by(runs or (), config):
        try:
            entries.append(_entry(run, spent, page, config))
        except HarnessError as error:
            left_out.append(f"run {run.id}: {error.message}")
    if not entries:
        raise UsageError(f"{config.state}: {'; '.join(left_out) or 'no run in it'}", "'kmaint optimize' makes one")
    return reports.write_campaign(entries, page), left_out


def _entry(run: Run, spent: Spent, page: Path, config: Config) -> reports.Entry:
    harness = folder.read_harness(Path(run.harness))
    own, _ = write_reports(run, config, earlier_landing(run, config))
    link = Path(os.path.relpath(own.resolve(), page.resolve().parent)).as_posix()
    return reports.Entry(run=run, harness=harness, spent=spent, page=link, engine=bench_of_patch(run, config))
