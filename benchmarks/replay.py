"""Compare the strategies, and memory with none, at equal budget on what was recorded; no kernel is run.

    python -m benchmarks.replay            writes README.md between its markers
    python -m benchmarks.replay --check    exits 1 if README.md does not say what the recordings say

The real chain searches each kernel that benchmarks/landscape.py recorded, several times over. Two providers play the
model: one that proposes by chance, and one that proposes what screens best, where a screening errs as those of the runs
on an H200 erred against their verdicts.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.recorded import ENVIRONMENT, Knowledge, Recorded, World, read_run, read_world, screening_errors
from kmaint import wire
from kmaint.agent.builtin import WORTH
from kmaint.agent.chain import Session, improve
from kmaint.agent.dialogue import Dialogue
from kmaint.agent.memory import lessons_of
from kmaint.agent.operations import operation_of
from kmaint.agent.proposal import Parent
from kmaint.agent.strategies import STRATEGIES, Strategy, Turn
from kmaint.agent.winner import lead
from kmaint.config import load_config
from kmaint.evaluate import Bench, Screened
from kmaint.folder import KERNEL
from kmaint.records.evaluation import Evaluation
from kmaint.records.harness import Harness, Provenance
from kmaint.records.lesson import Lesson
from kmaint.records.run import Budget, Run
from kmaint.records.workload import Contract

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- replay: written by benchmarks/replay.py -->", "<!-- end of replay -->"

BUDGETS = (4, 8, 16)
SEEDS = range(6)
RESAMPLES = 2000
KNOWLEDGE: tuple[Knowledge, ...] = ("chance", "screening")

ANY = Strategy(name="any", says="the best that has an edit left", choose=lambda _history, parents: _all(parents))

DEFAULT = load_config().strategy


def _all(parents: Sequence[Parent]) -> list[Turn]:
    return [Turn(parent=parent) for parent in sorted(parents, key=lambda parent: -parent.ratio)]


@dataclass(frozen=True, kw_only=True)
class Searched:
    """One run on one world: its verdicts, and how many proposals it had until it ended by itself."""

    history: tuple[Evaluation, ...]
    ended: int
    """Verdicts after which the strategy had no turn left for the first time."""
    proposals: int

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
        history = list(improve(session, []))
        ended, proposals = len(history), len(provider.asked)
        while len(history) < BUDGETS[-1]:
            further = next(improve(replace(session, strategy=ANY), history), None)
            if further is None:
                break
            history.append(further)
            history += improve(session, history)
        return Searched(history=tuple(history), ended=ended, proposals=proposals)

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


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What one strategy and provider found; each list holds a value a kernel, the mean over seeds."""

    shares: list[list[float]]
    """Best found over best there is, after each budget."""
    gains: list[list[float]]
    """The part of the gain that was found, after each budget."""
    verdicts: float
    """Before the strategy ended by itself, and the proposals that were asked for until then."""
    proposals: float
    ended: list[float]
    """The part of the gain that it had found then."""


SEEN = frozenset(
    {
        "chunk_local_cumsum_scalar_kernel",
        "silu_and_mul_kernel",
        "fused_dual_residual_rmsnorm_kernel",
        "fused_rmsnorm_kernel",
        "_fused_sigmoid_mul_kernel",
        "_log_softmax_kernel",
        "merge_state_kernel",
        "_norm_infer_kernel",
        "_per_token_group_quant_8bit",
        "_per_token_quant_int8",
        "reshape_and_cache_flash",
        "_triton_mrope_forward_fused",
        "merge_attn_states_kernel",
        "reshape_and_cache_kernel_flash",
    }
)
"""Kernels on which memory was looked at before the rule by which it weighs lessons was settled."""

Found = dict[tuple[str, int], Searched]
"""Searches by kernel and seed."""


def searched(replay: Replay, worlds: Sequence[World], strategy: str, knowledge: Knowledge) -> Found:
    return {(w.kernel, seed): replay.search(w, strategy, knowledge, seed) for w in worlds for seed in SEEDS}


def taught_by_others(replay: Replay, worlds: Sequence[World], strategy: str, first: Found, *, elsewhere: bool) -> Found:
    """Again, with what the same searches on all other kernels taught; `elsewhere` leaves out those of its operation."""
    known = {key: taught(world, first[key], strategy) for world in worlds for key in first if key[0] == world.kernel}

    def lessons(world: World, seed: int) -> list[Lesson]:
        own = operation_of(world.kernel)
        others = [one.kernel for one in worlds if one is not world]
        return [
            lesson
            for kernel in others
            if not (elsewhere and operation_of(kernel) == own)
            for lesson in known[kernel, seed]
        ]

    return {
        (w.kernel, seed): replay.search(w, strategy, "chance", seed, lessons(w, seed)) for w in worlds for seed in SEEDS
    }


def scored(worlds: Sequence[World], found: Found) -> Scored:
    def by_kernel(value: Callable[[World, Searched], float]) -> list[float]:
        return [statistics.fmean(value(world, found[world.kernel, seed]) for seed in SEEDS) for world in worlds]

    return Scored(
        shares=[by_kernel(lambda world, one, b=b: one.best(b) / world.best) for b in BUDGETS],  # type: ignore[misc]
        gains=[by_kernel(lambda world, one, b=b: one.gained(world, b)) for b in BUDGETS],  # type: ignore[misc]
        verdicts=statistics.fmean(one.ended for one in found.values()),
        proposals=statistics.fmean(one.proposals for one in found.values()),
        ended=by_kernel(lambda world, one: one.gained(world, one.ended)),
    )


def interval(values: Sequence[float], *, signed: bool = False) -> str:
    """The mean over kernels, with its 95 % interval by resampling kernels."""
    chance = random.Random(0)
    means = sorted(statistics.fmean(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]
    sign = "+" if signed else ""
    return f"{statistics.fmean(values):{sign}.2f} ({low:{sign}.2f} to {high:{sign}.2f})"


def against(values: Sequence[float], others: Sequence[float]) -> str:
    """The difference, kernel by kernel; one whose interval holds 0 is in brackets."""
    text = interval([one - other for one, other in zip(values, others, strict=True)], signed=True)
    low, high = (float(word) for word in text.partition("(")[2].rstrip(")").split(" to "))
    return text if low > 0 or high < 0 else f"[{text}]"


def table() -> str:
    """All of it, as Markdown."""
    recorded = [read_world(file) for file in sorted((RESULTS / "2026-11-29-replay").glob("*.json"))]
    worlds = [world for world in recorded if world.best >= WORTH]
    runs = sorted((RESULTS / "2026-11-21-h200").glob("*.json"))
    with tempfile.TemporaryDirectory() as name:
        replay = Replay(folder=Path(name), errors=list(screening_errors(runs)))
        lines = [_recordings(recorded, worlds), ""]
        by_chance = {one: searched(replay, worlds, one, "chance") for one in STRATEGIES}
        by_screening = {one: searched(replay, worlds, one, "screening") for one in STRATEGIES}
        lines += [
            *_strategies("proposed by chance", worlds, by_chance),
            "",
            *_strategies("proposed by screening", worlds, by_screening),
        ]
        lines += ["", *_memory(replay, worlds, by_chance), "", _unseen(replay, worlds, by_chance[DEFAULT])]
        lines += ["", _measured(replay, [read_run(file) for file in runs])]
    return "\n".join(lines)


def _recordings(recorded: Sequence[World], worlds: Sequence[World]) -> str:
    operations = {operation_of(world.kernel) for world in worlds}
    return (
        f"{sum(len(world.verdicts) for world in recorded)} compiled sources of {len(recorded)} kernels, of which "
        f"{len(worlds)} (in {len(operations)} operations) have an edit that gains 1 % by the estimate; {len(SEEDS)} "
        f"searches each. Means over kernels with 95 % intervals; a difference within noise stands in brackets."
    )


def _strategies(title: str, worlds: Sequence[World], found: dict[str, Found]) -> list[str]:
    rows = {strategy: scored(worlds, one) for strategy, one in found.items()}
    after = " | ".join(f"after {budget}" for budget in BUDGETS)
    more = " | ".join(f"gain after {budget}, less `{DEFAULT}`" for budget in BUDGETS)
    lines = [
        f"| best found over best there is, {title} | {after} | {more} | ends alone: verdicts, proposals, gain |",
        "| --- |" + " --- |" * (2 * len(BUDGETS) + 1),
    ]
    for strategy, row in rows.items():
        shares = [interval(values) for values in row.shares]
        gains = [against(*pair) for pair in zip(row.gains, rows[DEFAULT].gains, strict=True)]
        alone = f"{row.verdicts:.1f}, {row.proposals:.1f}, {interval(row.ended)}"
        lines.append(
            f"| `{strategy}` | {' | '.join([*shares, *(gains if strategy != DEFAULT else ['', '', '']), alone])} |"
        )
    return lines


def _memory(replay: Replay, worlds: Sequence[World], found: dict[str, Found]) -> list[str]:
    heads = [f"{source}, after {b}" for source in ("all other kernels", "other operations") for b in BUDGETS]
    lines = [
        f"| gain with lessons of ..., less without | {' | '.join(heads)} |",
        "| --- |" + " --- |" * len(heads),
    ]
    for strategy, first in found.items():
        without = scored(worlds, first)
        cells = []
        for elsewhere in (False, True):
            taught_ = scored(worlds, taught_by_others(replay, worlds, strategy, first, elsewhere=elsewhere))
            cells += [against(*pair) for pair in zip(taught_.gains, without.gains, strict=True)]
        lines.append(f"| `{strategy}` | {' | '.join(cells)} |")
    return lines


def _unseen(replay: Replay, worlds: Sequence[World], first: Found) -> str:
    """What lessons were worth to the default strategy on kernels that had no part in how they are weighed."""
    with_, without = (
        scored(worlds, found) for found in (taught_by_others(replay, worlds, DEFAULT, first, elsewhere=False), first)
    )
    new = [n for n, world in enumerate(worlds) if world.kernel.partition("::")[2] not in SEEN]
    cells = [
        against([more[n] for n in new], [less[n] for n in new])
        for more, less in zip(with_.gains, without.gains, strict=True)
    ]
    return (
        f"On the {len(new)} kernels recorded after the rule for weighing lessons was settled, `{DEFAULT}` with the "
        f"lessons of all others, less without: {', '.join(cells)}."
    )


def _measured(replay: Replay, worlds: Sequence[World]) -> str:
    """What the runs on a GPU themselves can tell strategies apart by."""
    won = [world for world in worlds if world.best > 1.0]
    candidates = sum(len(world.verdicts) for world in worlds)
    least = min(
        replay.search(world, strategy, knowledge, seed).best(BUDGETS[0]) / world.best
        for world in won
        for strategy in STRATEGIES
        for knowledge in KNOWLEDGE
        for seed in SEEDS
    )
    return (
        f"The {len(worlds)} runs recorded on an H200 hold {candidates} measured candidates, at most "
        f"{max(len(world.verdicts) for world in worlds)} a kernel: after {BUDGETS[0]} verdicts every strategy has at "
        f"least {least:.3f} of the fastest, so they tell none apart."
    )


def main() -> None:
    readme = ROOT / "README.md"
    before = readme.read_text()
    start, end = before.index(BEGIN) + len(BEGIN), before.index(END)
    after = f"{before[:start]}\n{table()}\n{before[end:]}"
    if "--check" in sys.argv:
        sys.exit(after != before)
    readme.write_text(after)


if __name__ == "__main__":
    main()
