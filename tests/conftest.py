"""The option that rewrites recordings, the order of files, what is drawn, and a cache folder that no test shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A change must not be refused for a draw that the next run does not make; `make test-slow` draws at random.
settings.register_profile("tests", derandomize=os.environ.get("KMAINT_DRAWS") != "random", deadline=None)
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-recordings", action="store_true", help="write what is generated over what was recorded")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a test that has a limit of its own come first: last, one process would wait for the other's."""
    long = {item.path for item in items if item.get_closest_marker("timeout")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scan keeps what it read under the user's cache folder: not under that of who runs the tests."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder
