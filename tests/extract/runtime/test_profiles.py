"""How long a property goes on, and what is kept of a case that failed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.runtime import profiles
from extract.runtime.cases import Case


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate, with no time for more than it owes."""
    monkeypatch.setenv("KMAINT_PROFILE", "gate")
    monkeypatch.setattr(profiles, "PATIENCE_S", {"gate": 0.0})


@pytest.mark.usefixtures("impatient")
def test_a_property_sees_the_least_of_cases_and_begins_anew_for_each_pair() -> None:
    seen: list[int] = []

    @profiles.paced
    def holds(pair: object, case: int) -> None:
        sum(range(100_000))  # takes some of the processor's time
        seen.append(case)

    first, second = object(), object()
    for pair in (first, second):
        for case in range(10):
            holds(pair=pair, case=case)
    assert seen == [*range(profiles.LEAST), *range(profiles.LEAST)]


@pytest.mark.usefixtures("impatient")
def test_what_failed_once_is_run_again_however_late() -> None:
    calls = 0

    @profiles.paced
    def fails(pair: object, size: int) -> None:
        nonlocal calls
        calls += 1
        sum(range(100_000))
        assert size < 2, "[mismatch] too large"

    for size in (0, 1):
        fails(pair=None, size=size)
    for _ in range(5):
        with pytest.raises(AssertionError):
            fails(pair=None, size=2)
    assert calls == 7


@pytest.mark.usefixtures("impatient")
def test_cases_come_in_an_order_of_the_seed_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "PATIENCE_S", {"gate": 60.0})
    cases = [Case(T=size) for size in range(20)]
    orders = []
    for seed in ("1", "1", "2"):
        monkeypatch.setenv("KMAINT_SEED", seed)
        orders.append([case.axes["T"] for case in profiles.in_time(cases)])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(20))
    monkeypatch.setattr(profiles, "PATIENCE_S", {"gate": -1.0})
    assert len(list(profiles.in_time(cases))) == profiles.LEAST


@pytest.mark.usefixtures("impatient")
def test_cases_grow_as_far_as_the_last_one_s_time_says(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(profiles, "PATIENCE_S", {"gate": 6.0})
    monkeypatch.setattr(time, "process_time", lambda: now_s)
    tried = []
    for case in profiles.growing("T", [Case(T=size) for size in (0, 48, 257, 768, 4096, 5000)]):
        tried.append(case.axes["T"])
        now_s += case.axes["T"] / 1000
    assert tried == [0, 48, 257, 768]


def test_a_failing_case_is_written_down_and_met_first_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KMAINT_PROFILE", "gate")
    before = hypothesis.settings.get_current_profile_name()
    source = """def holds(pair, case):
    tried.append(case.axes["T"])
    assert case.axes["T"] < limit, "[mismatch] large"
"""
    tried: list[int] = []
    given_names = {"tried": tried, "limit": 40}
    exec(compile(source, str(tmp_path / "test_kernel.py"), "exec"), given_names)
    try:
        profiles.use_profile(tmp_path)
        sizes = st.integers(0, 1000).map(lambda size: Case(T=size))

        def run(limit: int) -> list[int]:
            tried.clear()
            given_names["limit"] = limit
            paced = profiles.paced(given_names["holds"])  # type: ignore[arg-type]
            property_ = profiles.kept_as("op")(given(case=sizes)(paced))
            try:
                property_(pair=object())
            except AssertionError:
                return list(tried)
            return list(tried)

        failed = next(size for size in run(40) if size >= 40)
        assert run(10**6)[0] == failed, "the next candidate meets it first"
        assert run(10**6)[0] == failed, "and so does the one after that, though the last one passed it"
    finally:
        hypothesis.settings.load_profile(before)
    (known,) = json.loads((tmp_path / "failures.json").read_text()).items()
    assert known[0] == "holds [mismatch]"
    assert known[1]["T"] >= 40
