from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch

from kmaint.evaluate.workers.watching import Watch


def test_nothing_changes_by_itself() -> None:
    watch = Watch()
    torch.ones(3).clone()
    assert watch.changed() == ""


@pytest.mark.parametrize(
    ("owner", "attribute", "named"),
    [
        (time, "perf_counter", "time.perf_counter"),
        (torch.cuda, "synchronize", "torch.cuda.synchronize"),
        (torch.cuda.Event, "elapsed_time", "Event.elapsed_time"),
        (torch.cuda.Event, "record", "Event.record"),
        (torch.cuda.CUDAGraph, "replay", "CUDAGraph.replay"),
        (torch.cuda, "graph", "torch.cuda.graph"),
        (torch.profiler.profile, "events", "torch.profiler.profiler.profile itself"),
        (torch.Tensor, "cpu", "torch.Tensor.cpu"),
    ],
)
def test_a_replacement_is_named(owner: Any, attribute: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    monkeypatch.setattr(owner, attribute, lambda *_, **__: 0.0)
    assert named in watch.changed()
    monkeypatch.undo()
    assert watch.changed() == ""


def other(device: Any = None) -> None:
    return None


def test_other_code_in_the_same_function_is_named() -> None:
    function: Callable[..., Any] = torch.cuda.synchronize
    watch, code = Watch(), function.__code__
    function.__code__ = other.__code__
    try:
        assert watch.changed() == "torch.cuda.synchronize"
    finally:
        function.__code__ = code
    assert watch.changed() == ""


@pytest.mark.parametrize("named", ["workers.played.MOST", "workers.played.Clock.late"])
def test_another_setting_of_the_worker_is_named(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of how long the device is kept busy, or of whether a leg can be late."""
    played = ModuleType("workers.played")
    exec("MOST = 32\n\nclass Clock:\n    late = False\n", vars(played))
    monkeypatch.setitem(sys.modules, "workers.played", played)
    watch = Watch()
    assert watch.changed() == ""
    owner, _, attribute = named.removeprefix("workers.played.").rpartition(".")
    monkeypatch.setattr(vars(played)[owner] if owner else played, attribute, True)
    assert watch.changed() == named
