"""One search of the real chain on a world, with a provider that plays the model; and what it would have taught."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from benchmarks.replay.worlds import ENVIRONMENT, Knowledge, Recorded, World
from kmaint import wire
from kmaint.agent.chain import Session, improve
from kmaint.agent.dialogue import Dialogue
from kmaint.agent.memory import lessons_of
from kmaint.agent.proposal import Parent
from kmaint.agent.strategies import STRATEGIES, Strategy, Turn
from kmaint.agent.winner import lead
from kmaint.evaluate import Bench, Screened
from kmaint.folder import KERNEL
from kmaint.records.evaluation import Evaluation
from kmaint.records.harness import Harness, Provenance
from kmaint.records.lesson import Lesson
from kmaint.records.run import Budget, Run
from kmaint.records.workload import Contract

BUDGETS = (4, 8, 16)
"""Verdicts after which searches are compared; each goes on to the last."""

ANY = Strategy(name="any", says="the best that has an edit left", choose=lambda _history, parents: _all(parents))


def _all(parents: Sequence[Parent]) -> list[Turn]:
    return [Turn(parent=parent) for parent in sorted(parents, key=lambda parent: -parent.ratio)]


@dataclass(frozen=True, kw_only=True)
class Searched:
    """One run on one world: its verdicts, and what had been proposed by then."""

    history: tuple[Evaluation, ...]
    ended: int
    """Verdicts after which the strategy had no turn left for the first time."""
    proposals: int
    """Until it ended by itself."""
    asked: tuple[int, ...]
    """By each verdict, the proposals that had been made until then, whether they came to one or not."""

    def verdicts(self, proposals: int) -> int:
        """How many verdicts so many proposals had come to."""
        return sum(made <= proposals for made in self.asked)

    def best(self, budget: int) -> float:
        """The best ratio within so many verdicts; the original counts as found."""
        return max([1.0, *(lead(one) or 0.0 for one in self.history[:budget])])

    def gained(self, world: World, budget: int) -> float:
        """Of the gain that there is, as logarithms, the part that was found."""
        return math.log(self.best(budget)) / math.log(world.best)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Everything that searches share: where the stand-ins of the originals lie, and how screenings err."""

    folder: Path
    errors: Sequence[float]

    def search(
        self, world: World, strategy: str, knowledge: Knowledge, seed: int, lessons: Sequence[Lesson] = ()
    ) -> Searched:
        """A run of the chain, as long as the largest budget.

        Where the strategy has no turn left, it is given one on whatever has an edit left: what was not recorded would
        have been there, and a search is not to suffer for having gone where the recording ends.
        """
        provider = Recorded(world=world, knowledge=knowledge, seed=seed)
        session = self._session(world, strategy, provider, lessons)
        history, asked = list[Evaluation](), list[int]()

        def go_on(found: Iterable[Evaluation]) -> bool:
            before = len(history)
            for one in found:
                history.append(one)
                asked.append(len(provider.asked))
            return len(history) > before

        go_on(improve(session, []))
        ended, proposals = len(history), len(provider.asked)
        while len(history) < BUDGETS[-1] and go_on(islice(improve(replace(session, strategy=ANY), list(history)), 1)):
            go_on(improve(session, list(history)))
        return Searched(history=tuple(history), ended=ended, proposals=proposals, asked=tuple(asked))

    def _session(self, world: World, strategy: str, provider: Recorded, lessons: Sequence[Lesson]) -> Session:
        return Session(
            harness=self._harness(world),
            # With a device, the chain takes ratios from verdicts alone.
            bench=Bench(python=Path(sys.executable), device="cuda", environment=ENVIRONMENT),
            provider=provider,
            strategy=STRATEGIES[strategy],
            dialogue=Dialogue(budget=Budget(candidates=BUDGETS[-1], minutes=None)),
            baseline=world.baseline,
            ranks=self._ranks(world, provider.seed),
            judge=world.judge,
            lessons=tuple(lessons),
        )

    def _ranks(self, world: World, seed: int) -> dict[str, Screened]:
        """Of every source, its ratio off by an error that was seen."""
        chance = random.Random(f"{seed} {world.kernel}")
        errors = {source: 0.0 if source == world.root else chance.choice(self.errors) for source in world.verdicts}
        return {
            wire.digest(source): Screened(
                ratio=world.ratios[source] * math.exp(errors.get(source, 0.0)) if source in world.ratios else None,
                estimated=True,
            )
            for source in {world.root, *world.verdicts}
        }

    def _harness(self, world: World) -> Harness:
        path, _, symbol = world.kernel.partition("::")
        folder = self.folder / wire.digest(world.kernel)
        folder.mkdir(exist_ok=True)
        (folder / KERNEL).write_text(world.root)
        provenance = Provenance(framework="", path=path, symbol=symbol, line=0, end_line=0, licence="", files={})
        return Harness(
            folder=folder,
            kernel=symbol,
            entry="",
            language="triton",
            op="",
            compute="any",
            provenance=provenance,
            regions=(),
            stubs=(),
            contract=Contract(axes=(), arguments=()),
            oracle=False,
        )


def taught(world: World, searched: Searched, strategy: str) -> list[Lesson]:
    """The lessons of a search, as a run's."""
    run = Run(
        id="replay",
        harness="",
        kernel=world.kernel,
        provider="recorded",
        strategy=strategy,
        budget=Budget(candidates=BUDGETS[-1], minutes=None),
        state="running",
        created="",
        evaluations=searched.history,
        baseline=world.baseline,
    )
    return list(lessons_of(run, world.root))
