from __future__ import annotations

from dataclasses import replace

from kmaint.config import Config
from kmaint.records.run import Budget
from kmaint.store import Store
from kmaint.workflow import list_runs
from tests.learning.conftest import measured_run


def test_a_run_that_was_killed_is_stopped_and_one_that_is_worked_on_runs(config: Config) -> None:
    killed = replace(measured_run(), id="killed-1", created="2026-11-22T00:00:00+00:00", state="running", best=None)
    with Store(config.state) as store:
        store.begin(killed)
        assert [one.state for one in list_runs(config)][-1] == "stopped"
        store.start("killed-1", Budget(candidates=9))
        last = list_runs(config)[-1]
        assert (last.state, last.run.budget.candidates) == ("running", 9)
    assert [one.state for one in list_runs(config)].count("stopped") == 1
    assert [one.state for one in list_runs(config)].count("won") == 6
