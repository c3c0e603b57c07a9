from __future__ import annotations

import sys

import pytest

from kmaint.config import Config
from kmaint.errors import MissingError
from kmaint.records.harness import Harness
from kmaint.workflow import open_environment, spent_by, statistics
from tests.learning.conftest import measured_run

RUN = measured_run().id


def test_statistics_are_of_the_runs_that_are_named_or_of_all(config: Config) -> None:
    assert len(statistics([], config).runs) == 9
    assert [one.run for one in statistics(["merge_state", "silu"], config).runs] == [
        RUN,
        "silu_and_mul_kernel-38f8d191",
    ]
    ((run, spent),) = spent_by([RUN], config)
    assert (run.id, spent.candidates, spent.usage.cost_usd) == (RUN, 3, 0.0)


def test_an_environment_without_gymnasium_says_what_to_install(
    harness: Harness, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "kmaint.learning.environment", raising=False)
    message = r"^an environment needs the package gymnasium; pip install 'kmaint\[rl\]'$"
    with pytest.raises(MissingError, match=message), open_environment(harness, config, print):
        pass
