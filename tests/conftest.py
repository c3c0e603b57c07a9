"""The option that rewrites recorded texts."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-recordings", action="store_true", help="write what is generated over what was recorded")
