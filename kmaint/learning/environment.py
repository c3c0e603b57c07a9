"""A harness as an environment to train in, with Gymnasium's interface: an action is a kernel.py, judged by the gate.

Only who asks for it imports this module, since it needs the extra `rl`.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gymnasium
from gymnasium import spaces

from kmaint import wire
from kmaint.agent.budget import Meter
from kmaint.agent.chain import original
from kmaint.errors import UsageError
from kmaint.evaluate import Bench, check
from kmaint.learning.preferring import reason
from kmaint.learning.reward import reward_of
from kmaint.records.evaluation import Candidate, Evaluation, Passed, Plan, Profile
from kmaint.records.harness import Harness
from kmaint.records.run import Budget
from kmaint.spans import changed_lines

LONGEST = 200_000
"""Characters of a source; the harness of vLLM's unified attention, a long one, has a third of it."""

Observation = dict[str, Any]
"""All of its values are text."""

Judge = Callable[[Candidate], Evaluation]


class Words(spaces.Space[str]):
    """Any text up to a length: a Text space wants to know every character beforehand."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        super().__init__(dtype=str)

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def contains(self, x: Any) -> bool:
        if not isinstance(x, str) or len(x) > self.longest:
            return False
        return not any("\ud800" <= character <= "\udfff" for character in x)  # halves of pairs are in no file

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """A line of printable characters."""
        del mask, probability
        return "".join(self.np_random.choice(list(string.printable), size=80))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Words) and other.longest == self.longest

    __hash__ = None  # type: ignore[assignment]


@dataclass
class Episode:
    """What one episode knows: the best accepted source so far, and everything that was judged in it."""

    source: str
    profile: Profile
    meter: Meter
    parent: str | None = None
    reward: float = 0.0
    verdict: str = ""
    judged: list[Evaluation] = field(default_factory=list)

    def observed(self) -> Observation:
        found = self.profile
        share = "" if found.roofline_fraction is None else f", {found.roofline_fraction:.0%} of the roofline"
        said = f"{found.bottleneck}{share}{' (estimated)' if found.estimated else ''}"
        said = f"{said}{f': {found.evidence}' if found.evidence else ''}; {found.next_step}"
        return {"source": self.source, "profile": said, "verdict": self.verdict}

    def add(self, evaluation: Evaluation) -> None:
        """Take the verdict in; a source that the gate accepts and that is the best so far is where to go on from."""
        self.judged.append(evaluation)
        self.verdict = reason(evaluation)
        worth = reward_of(evaluation).total
        if isinstance(evaluation.verdict, Passed) and evaluation.verdict.win and worth > self.reward:
            self.reward, self.parent = worth, evaluation.candidate.id
            self.source, self.profile = evaluation.candidate.source, evaluation.verdict.profile


class KernelEnvironment(gymnasium.Env[Observation, str]):
    """Make the kernel of a harness faster.

    An observation holds `source`, the best accepted kernel.py so far, the original's at first; `profile`, what holds
    that one back; and `verdict`, what the gate said of the last action, empty after a reset. An action is a whole
    kernel.py. The reward is that of its verdict alone (kmaint.learning.reward), so an episode is worth its best step.
    It is truncated when the budget is spent and never terminated: there may always be a faster kernel.

    A source has one verdict as long as the environment lives: the same action again costs a candidate of the budget,
    and the gate nothing.
    """

    def __init__(
        self, harness: Harness, bench: Bench, baseline: Profile, budget: Budget, *, judge: Judge | None = None
    ) -> None:
        """`baseline` is the original's profile, as kmaint.evaluate.baseline takes it. `judge` stands for the gate."""
        self.metadata = {"render_modes": []}
        words = Words(LONGEST)
        self.action_space = words
        self.observation_space = spaces.Dict(dict.fromkeys(("source", "profile", "verdict"), words))
        self._judge = judge or (lambda candidate: check(harness, candidate, bench))
        self._known: dict[str, Evaluation] = {}
        self._original, self._baseline, self._budget = original(harness), baseline, budget
        self._episode = self._begun()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin again from the original, with the whole budget. Nothing here is drawn by chance."""
        super().reset(seed=seed, options=options)
        self._episode = self._begun()
        return self._episode.observed(), {}

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take the source through the gate; `info` holds the parts of the reward and the verdict as data."""
        if action not in self.action_space:
            raise UsageError(f"an action is text of at most {LONGEST:,} characters", "give a whole kernel.py")
        evaluation = self._evaluated(action)
        self._episode.add(evaluation)
        worth = reward_of(evaluation)
        said = {"parts": wire.dump(worth), "verdict": wire.dump(evaluation.verdict)}
        spent = bool(self._episode.meter.exhausted(len(self._episode.judged)))
        return self._episode.observed(), worth.total, False, spent, {"candidate": evaluation.candidate.id, **said}

    def _begun(self) -> Episode:
        return Episode(source=self._original, profile=self._baseline, meter=Meter(self._budget, ()))

    def _evaluated(self, source: str) -> Evaluation:
        name = wire.digest(source)
        if name not in self._known:
            now = self._episode
            plan = Plan(
                bottleneck=now.profile.bottleneck,
                edit="action",
                why="as the policy wrote it",
                anchor=changed_lines(now.source, source),
            )
            candidate = Candidate(id=name, source=source, parent=now.parent, plan=plan, provider="environment")
            self._known[name] = self._judge(candidate)
        return self._known[name]
