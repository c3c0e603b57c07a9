from __future__ import annotations

from dataclasses import replace

import pytest

from kmaint import wire
from kmaint.evaluate import Screened
from kmaint.learning.spending import spent
from kmaint.records.exchange import EXCHANGE, Exchange, Usage
from kmaint.records.run import Run
from kmaint.store import STARTED, Event
from tests.learning.conftest import PROFILE, failed, measured_run, timed, untimed


def run_of(*evaluations: object, provider: str = "builtin") -> Run:
    return replace(measured_run(), evaluations=evaluations, provider=provider)  # type: ignore[arg-type]


def event(at: str, kind: str = "plan", payload: object = None) -> Event:
    return Event(number=1, at=f"2026-11-21T10:{at}+00:00", kind=kind, payload=payload)


def asked(cost: float | None, fault: str = "") -> Event:
    usage = Usage(requests=1, input_tokens=1000, output_tokens=200, cost_usd=cost)
    said = Exchange(role="coder", model="m-1", prompt="p", answer="a", usage=usage, seconds=2.0, fault=fault)
    return event("00:00", EXCHANGE, wire.dump(said))


def test_money_and_tokens_are_those_of_the_exchanges() -> None:
    found = spent(run_of(), [asked(0.25), asked(0.5, fault="no code in it")])
    assert found.usage == Usage(requests=2, input_tokens=2000, output_tokens=400, cost_usd=0.75)
    assert (found.usage.tokens, found.faults) == (2400, 1)


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    assert spent(run_of(), [asked(0.25), asked(None)]).usage.cost_usd is None


def test_who_asks_nobody_costs_nothing_and_who_may_have_asked_costs_an_unknown_amount() -> None:
    assert spent(run_of(timed(1.1, 1.2, 1.3, win=True)), []).usage == Usage()
    other = timed(1.1, 1.2, 1.3, win=True)
    other = replace(other, candidate=replace(other.candidate, provider="command"))
    assert spent(run_of(other), []).usage.cost_usd is None


@pytest.mark.parametrize("provider", ["scripted", "handoff"])
def test_what_it_took_to_write_files_that_were_handed_in_is_not_known(provider: str) -> None:
    """Not even of a run that only screened them."""
    other = timed(1.1, 1.2, 1.3, win=True)
    other = replace(other, candidate=replace(other.candidate, provider=provider))
    for run in (run_of(other, provider=provider), run_of(provider=provider)):
        assert spent(run, []).usage == Usage(cost_usd=None)
    assert spent(run_of(provider="builtin"), []).usage == Usage(cost_usd=0.0)


def test_device_minutes_are_of_rungs_that_hold_a_gpu() -> None:
    held = [failed("crashed"), failed("dishonest")]  # on the device rung, and on integrity: six seconds each
    assert spent(run_of(*held, failed("wrong"), failed("not_built"), untimed()), []).device_minutes == pytest.approx(
        0.2
    )
    counted = timed(1.1, 1.2, 1.3, win=True)  # six seconds on its profile
    assert spent(run_of(counted), []).device_minutes == pytest.approx(0.1)


def test_a_run_that_only_screened_held_the_gpu_too_and_so_did_its_profiles() -> None:
    rank = Screened(ratio=1.1, estimated=False, seconds=1.5)
    events = [
        event("00:00", "baseline", wire.dump(replace(PROFILE, device_s=2.0))),
        event("00:01", "screening", wire.dump({"a": rank, "b": replace(rank, ratio=None, reason="differs")})),
        event("00:02", "screening", wire.dump({"c": Screened(ratio=1.2, estimated=True)})),
        event("00:03", "counted", wire.dump({"c": replace(PROFILE, device_s=4.0)})),
    ]
    assert spent(run_of(), events).device_minutes == pytest.approx(9.0 / 60)


def test_events_from_before_that_was_noted_are_read_and_say_nothing() -> None:
    rank = {"ratio": 1.5, "estimated": False, "reason": "", "least": 1.1}
    profile = {name: value for name, value in wire.dump(PROFILE).items() if name != "device_s"}
    events = [
        event("00:00", "baseline", profile),
        event("00:01", "screening", {"a": rank}),
        event("00:02", "counted", {"a": profile}),
    ]
    assert spent(run_of(), events).device_minutes == 0.0


def test_a_measured_run_on_the_h200() -> None:
    found = spent(measured_run(), [])
    rungs = [rung for one in measured_run().evaluations for rung in one.rungs]
    device = sum(r.seconds for r in rungs if r.name in ("device", "integrity", "numerics", "time", "profile"))
    assert found.device_minutes == pytest.approx(device / 60)
    assert (found.candidates, found.wall_minutes) == (3, None)


def test_the_time_between_a_kill_and_its_resumption_is_not_counted() -> None:
    events = [event("00:00", STARTED), event("01:00"), event("03:00"), event("40:00", STARTED), event("41:30")]
    assert spent(run_of(), events).wall_minutes == pytest.approx(4.5)
    assert (spent(run_of(), events[:3]) + spent(run_of(), events[3:])).wall_minutes == pytest.approx(4.5)
    assert (spent(run_of(), events) + spent(run_of(), [])).wall_minutes is None
