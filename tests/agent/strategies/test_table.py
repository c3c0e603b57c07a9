"""The table of strategies, and the words that the command line has for them."""

from __future__ import annotations

import pytest

from kmaint.agent.strategies import STRATEGIES, choose_strategy
from kmaint.cli.options import StrategyOption
from kmaint.config import load_config
from kmaint.errors import UsageError


def test_an_unknown_strategy_is_answered_with_a_guess() -> None:
    assert choose_strategy("lines") is STRATEGIES["lines"]
    with pytest.raises(UsageError) as error:
        choose_strategy("greddy")
    assert str(error.value) == "no strategy 'greddy'; did you mean 'greedy'?"


def test_the_default_is_one_of_them() -> None:
    assert load_config().strategy in STRATEGIES


def test_the_help_names_each_in_its_own_words() -> None:
    (option,) = StrategyOption.__metadata__  # type: ignore[attr-defined]
    said = "; ".join(f"{one.name}: {one.says}" for one in STRATEGIES.values())
    assert option.help == f"How the search moves. {said}."
