from __future__ import annotations

import json

import pytest

from kmaint.console import Format
from kmaint.learning import Statistics, spent, statistics
from kmaint.records.exchange import Usage
from kmaint.records.spent import Spent
from kmaint.show import learning as show
from tests.learning.conftest import measured_runs


@pytest.fixture(scope="module")
def found() -> Statistics:
    return statistics([(run, spent(run, [])) for run in measured_runs()])


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_script_reads_one_object(found: Statistics, capsys: pytest.CaptureFixture[str]) -> None:
    show.statistics(found, Format.JSON)
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "kmaint.stats/1"
    assert (len(said["runs"]), said["wins"]) == (9, 6)
    assert said["runs"][1]["speedup"]["ratio"] == pytest.approx(2.0296, abs=1e-3)
    assert said["runs"][4]["speedup"] is None
    assert said["spent"]["wall_minutes"] is None
    assert said["per_win"]["candidates"] == pytest.approx(19 / 6)
    assert [one["p"] for one in said["fast"]] == [1.0, 1.1, 1.25, 1.5, 2.0]
    assert said["at_k"][0].keys() == {"k", "kernels", "passed", "accepted", "speedup"}
    assert said["funnel"] | {"attempted": 19} == said["funnel"]


def test_a_person_reads_tables(found: Statistics, capsys: pytest.CaptureFixture[str]) -> None:
    show.statistics(found, Format.TABLE)
    lines = printed(capsys)
    assert lines[0] == "run state speedup provider candidates money tokens device min wall min"
    assert "merge_state_kernel-537199c5 won 2.03x (2.03 to 2.03) builtin 3 $0.00 0 9.2 unknown" in lines
    assert "all 9 6 won 19 $0.00 0 55.6 unknown" in lines
    assert "per win 3.2 $0.00 0 9.3 unknown" in lines
    assert "all 19 19 18 18 18 18 14" in lines
    assert "launch_parameters 7 7 6 6 6 6 4" in lines
    assert "all 1 8 88% 71% 1.40x" in lines
    assert "1.1 58% 56%" in lines


def test_a_price_that_nobody_names_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Spent(candidates=1, usage=Usage(requests=1, input_tokens=1500, cost_usd=None), wall_minutes=2.0)
    show.statistics(statistics([(measured_runs()[0], asked)]), Format.TABLE)
    assert "all 1 0 won 1 unknown 1,500 0.0 2.0" in printed(capsys)


def test_of_no_run_there_is_little_to_print(capsys: pytest.CaptureFixture[str]) -> None:
    show.statistics(statistics([]), Format.TABLE)
    assert printed(capsys) == ["no run is in the state folder: 'kmaint optimize' begins one"]
