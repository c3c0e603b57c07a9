"""What dump writes, load reads back, and equal records have equal digests."""

import json
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint import wire
from kmaint.records.evaluation import Crashed, NotBuilt, TimedOut, Verdict, Wrong
from kmaint.records.timing import Interval
from kmaint.records.workload import Axis, Contract, Workload

texts = st.text(max_size=20)
verdicts = st.one_of(
    st.builds(Wrong, reason=texts, codes=st.just(("mismatch",)), log=texts),
    st.builds(NotBuilt, reason=texts, codes=st.just(("syntax",))),
    st.builds(Crashed, reason=texts, codes=st.just(("signal", "exit"))),
    st.builds(TimedOut, reason=texts),
)


@given(verdict=verdicts)
def test_a_verdict_comes_back_as_itself(verdict: Verdict) -> None:
    assert wire.load(cast("type[Verdict]", Verdict), json.loads(wire.text(verdict))) == verdict


@given(value=st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False), texts))
def test_a_binding_keeps_its_type(value: int | bool | float | str) -> None:
    workload = Workload(name="w", axes={"T": value}, weight=1.0, origin="derived", source="")
    back = wire.load(Workload, json.loads(wire.text(workload)))
    assert back == workload
    assert type(back.axes["T"]) is type(value)


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises(ValueError, match="ratio"):
        wire.load(Interval, {"ratio": "fast", "low": 1.0, "high": 2.0})


def test_digests_name_content() -> None:
    one = Contract(axes=(Axis(name="T", low=1, high=2),), arguments=())
    other = Contract(axes=(Axis(name="T", low=1, high=3),), arguments=())
    assert wire.digest(one) == wire.digest(Contract(axes=(Axis(name="T", low=1, high=2),), arguments=()))
    assert wire.digest(one) != wire.digest(other)
    assert len(wire.digest("text", length=8)) == 8


def test_paths_become_text() -> None:
    assert wire.dump({"path": Path("a") / "b"}) == {"path": "a/b"}
