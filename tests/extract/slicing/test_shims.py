from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import types
from typing import Any, NamedTuple

import pytest
import torch

from extract.slicing.shims import PRELUDE, SHIMS, TORCH_SHIMS

SCOPE = {
    "dataclasses": dataclasses,
    "logging": logging,
    "re": re,
    "torch": torch,
    "types": types,
    "NamedTuple": NamedTuple,
}


def run(source: str) -> dict[str, object]:
    scope: dict[str, object] = dict(SCOPE)
    exec(PRELUDE + source, scope)
    return scope


@pytest.mark.parametrize("symbol", SHIMS)
def test_each_stand_in_runs_defines_its_name_and_answers_as_the_slicer_assumes(symbol: str) -> None:
    shim = SHIMS[symbol]
    found = run(shim.source)[shim.name]
    if shim.truth is not None:
        assert (found() if callable(found) else found) is shim.truth
    for method, answer in shim.answers.items():
        assert getattr(found, method)() is answer
    assert shim.reason


def test_platform_answers_for_a_hopper_where_there_is_no_device() -> None:
    if torch.cuda.is_available():
        pytest.skip("answers for the device that is there")
    platform = run(SHIMS["vllm.platforms.current_platform"].source)["current_platform"]
    assert hasattr(platform, "has_device_capability")
    assert [platform.has_device_capability(wanted) for wanted in (89, 90, (9, 0), 100)] == [True, True, True, False]


def test_release_numbers_compare_as_numbers() -> None:
    scope = run(SHIMS["packaging.version"].source)
    parse = scope["parse"]
    assert callable(parse)
    assert parse("3.10.0+cu130") > parse("3.9") and parse("2.2.0").major == 2


@pytest.mark.parametrize("symbol", TORCH_SHIMS)
def test_answers_for_torch_touch_nothing_where_there_is_a_device(symbol: str) -> None:
    assert TORCH_SHIMS[symbol].source.startswith("if not torch.cuda.is_available():\n")
    compile(TORCH_SHIMS[symbol].source, symbol, "exec")


def test_records_of_msgspec_are_dataclasses() -> None:
    scope = run(SHIMS["msgspec"].source)
    source = "class Route(msgspec.Struct, frozen=True, kw_only=True):\n    width: int\n    parts: list = []\n"
    exec(source, scope)
    route: Any = scope["Route"]
    assert route.__struct_fields__ == ("width", "parts")
    first, second = route(width=4), route(width=4)
    assert first == second and first.parts is not second.parts
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.width = 5


def test_a_device_module_without_a_device_answers_for_an_h200(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("torch's own answers are used")
    monkeypatch.setattr(torch, "get_device_module", torch.get_device_module)  # put back afterwards
    monkeypatch.setattr(torch.cuda, "device", torch.cuda.device)
    for symbol in ("torch.get_device_module", "torch.cuda.device"):
        exec(TORCH_SHIMS[symbol].source, {"contextlib": contextlib, "torch": torch, "types": types})
    module = torch.get_device_module()
    assert module.get_device_properties(module.current_device()).multi_processor_count == 132
    assert not module.is_available()  # torch asks it too
    with module.device(torch.device("cpu")), torch.cuda.device(torch.device("cpu")):
        pass
