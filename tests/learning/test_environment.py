"""The environment over a real harness and the real gate; what costs more than a few milliseconds there is slow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gymnasium.utils.env_checker import check_env

from kmaint import wire
from kmaint.config import load_config
from kmaint.errors import UsageError
from kmaint.evaluate import Bench
from kmaint.folder import KERNEL
from kmaint.learning.environment import LONGEST, KernelEnvironment
from kmaint.records.evaluation import Candidate, Evaluation
from kmaint.records.harness import Harness
from kmaint.records.run import Budget
from kmaint.workflow import open_environment
from tests.learning.conftest import H200, PROFILE, timed
from tests.merged import harness_in

SWAPPED = ("out = p_out * p_scale + s_out * s_scale", "out = p_out * s_scale + s_out * p_scale")
ONE_WARP = ("        output_lse is not None,\n    )", "        output_lse is not None,\n        num_warps=1,\n    )")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    """merge_state of SGLang 0.5.17 with a suite of two cases."""
    return harness_in(tmp_path_factory.mktemp("harness") / "merge_state")


@pytest.fixture
def environment(real: Harness) -> KernelEnvironment:
    """Three candidates an episode; no source that it is given here gets as far as the compiler."""
    bench = Bench(python=Path("no interpreter is started"), device="none", environment=H200)
    return KernelEnvironment(real, bench, PROFILE, Budget(candidates=3, minutes=None))


def original(harness: Harness) -> str:
    return (harness.folder / KERNEL).read_text()


def edited(harness: Harness, edit: tuple[str, str]) -> str:
    assert original(harness).count(edit[0]) == 1
    return original(harness).replace(*edit)


def test_gymnasium_finds_no_fault(environment: KernelEnvironment) -> None:
    check_env(environment, skip_render_check=True)


def test_an_episode_begins_at_the_original(environment: KernelEnvironment, real: Harness) -> None:
    observation, said = environment.reset(seed=1)
    assert observation == {
        "source": original(real),
        "profile": "memory, 50% of the roofline; wider loads",
        "verdict": "",
    }
    assert said == {}


def test_the_gates_verdict_is_the_reward(environment: KernelEnvironment, real: Harness) -> None:
    environment.reset()
    observation, reward, terminated, truncated, said = environment.step("def (")
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert observation["verdict"] == "not_built: does not parse: line 1: invalid syntax"
    assert observation["source"] == original(real)
    assert said["verdict"]["codes"] == ["syntax"]
    assert said["parts"] == {"built": 0.0, "right": 0.0, "honest": 1.0, "speed": 0.0}
    again, *_ = environment.step(original(real).replace("import torch\n", "import torch, os\n", 1))
    assert again["verdict"].startswith("not_built: text outside the regions changed")


def test_the_budget_truncates_and_a_reset_refills_it(environment: KernelEnvironment) -> None:
    for _ in range(2):
        environment.reset()
        assert [environment.step("def (")[3] for _ in range(3)] == [False, False, True]


def test_what_is_no_text_or_too_long_is_no_action(environment: KernelEnvironment) -> None:
    for action in ("x" * (LONGEST + 1), "\ud800"):
        with pytest.raises(UsageError, match="an action is text of at most 200,000 characters; give"):
            environment.step(action)


def test_a_win_is_where_the_episode_goes_on_from(real: Harness) -> None:
    """Speed cannot be measured here, so who judges is made to order: it is told what it measured."""
    judged: list[Candidate] = []

    def judge(candidate: Candidate) -> Evaluation:
        judged.append(candidate)
        low = float(candidate.source)
        return timed(low, low, low, win=low > 1.01, name=candidate.id, source=candidate.source)

    bench = Bench(python=Path("none"), device="none", environment=H200)
    found = KernelEnvironment(real, bench, PROFILE, Budget(candidates=None, minutes=None), judge=judge)
    sources = []
    for action in ("2.0", "4.0", "1.5", "0.9", "4.0"):
        observation, *_ = found.step(action)
        sources.append(observation["source"])
    assert sources == ["2.0", "4.0", "4.0", "4.0", "4.0"]
    first, second = wire.digest("2.0"), wire.digest("4.0")
    assert [one.parent for one in judged] == [None, first, second, second], "the same source is judged once"
    assert [one.plan.anchor for one in judged] == [(1, len(original(real).splitlines())), (1, 1), (1, 1), (1, 1)]


@pytest.fixture
def opened(real: Harness, tmp_path: Path) -> Iterator[KernelEnvironment]:
    with open_environment(real, load_config(state=tmp_path, device="none", candidates=4), lambda _line: None) as found:
        yield found


@pytest.mark.slow
def test_a_candidate_that_is_right_and_one_that_is_wrong(opened: KernelEnvironment, real: Harness) -> None:
    observation, _ = opened.reset()
    assert "(estimated)" in observation["profile"]
    observation, reward, _, _, said = opened.step(edited(real, ONE_WARP))
    assert (reward, observation["verdict"]) == (0.5, "right (bit-exact), not timed")
    assert said["parts"]["right"] == 1.0
    observation, reward, _, _, said = opened.step(edited(real, SWAPPED))
    assert reward == 0.1
    assert said["verdict"]["kind"] == "wrong"
    assert observation["source"] == original(real), "nothing was timed, so nothing was accepted"
