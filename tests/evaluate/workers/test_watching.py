from __future__ import annotations

import time
from collections.abc import Callable
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
