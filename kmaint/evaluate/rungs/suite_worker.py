"""Runs a harness's suite with pytest in the target's interpreter; it needs nothing of kmaint.

    python suite_worker.py PYTEST_ARGUMENT...

On a GPU every example takes its own turn there (KMAINT_TURNS), so that whoever waits to measure waits for one example
and not for a suite. What this process compiles is never a candidate's, and is kept for the next (KMAINT_ORIGINALS).
Several processes may share a suite's tests (KMAINT_SHARE).
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest


class TakingTurns:
    """A plugin of pytest: wraps what Hypothesis calls for each example, or the test where there are no examples."""

    def __init__(self, turns: Any) -> None:
        self._turns = turns

    def pytest_collection_modifyitems(self, items: Sequence[Any]) -> None:
        for test in {id(item.obj): item.obj for item in items if hasattr(item, "obj")}.values():
            if hasattr(test, "hypothesis"):
                test.hypothesis.inner_test = self._in_turn(test.hypothesis.inner_test)
        for item in items:
            if hasattr(item, "obj") and not hasattr(item.obj, "hypothesis"):
                item.obj = self._in_turn(item.obj)

    def _in_turn(self, test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def taken(*args: Any, **kwargs: Any) -> Any:
            for value in kwargs.values():
                # A candidate's process takes seconds to start, in which nobody need wait for the GPU.
                getattr(getattr(value, "tested", None), "wait_until_ready", _nothing)()
            with self._turns.shared():
                return test(*args, **kwargs)

        return taken


class Sharing:
    """A plugin of pytest: of the suite's tests this process runs every `of`-th, from number `part` on."""

    def __init__(self, part: int, of: int) -> None:
        self._part, self._of = part, of

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = items[self._part :: self._of]


def _nothing() -> None:
    """For what has no process to wait for."""


def _beside(name: str) -> Any:
    """A module from the workers' folder, which is not on the path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "workers" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> int:
    plugins: list[object] = []
    if place := os.environ.get("KMAINT_TURNS"):
        plugins.append(TakingTurns(_beside("turns").Turns(place)))
    if share := os.environ.get("KMAINT_SHARE"):
        plugins.append(Sharing(*map(int, share.split())))
    if folder := os.environ.get("KMAINT_ORIGINALS"):
        import triton

        vars(triton.knobs.cache)["dir"] = folder  # past its setter, which would tell the candidate's process too
    return int(pytest.main(sys.argv[1:], plugins=plugins))


if __name__ == "__main__":
    sys.exit(main())
