"""What the searches found as Markdown, with intervals."""

from __future__ import annotations

import contextlib
import random
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from benchmarks.campaign import recorded
from benchmarks.replay.scoring import PROPOSALS, SEEDS, Found, scored, searched, taught_by_others
from benchmarks.replay.searching import BUDGETS, Replay
from benchmarks.replay.worlds import Knowledge, World, of_run, read_world, screening_errors
from kmaint.agent.builtin import WORTH
from kmaint.agent.operations import operation_of
from kmaint.agent.strategies import STRATEGIES
from kmaint.config import load_config
from kmaint.records.evaluation import Passed
from kmaint.records.run import Run

RESULTS = Path(__file__).parents[1] / "results"

Told = Literal["the estimate", "a rough look"]
"""By what a recording knows its ratios."""

RESAMPLES = 2000
DEFAULT = load_config().strategy

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


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean over kernels, by resampling kernels."""
    chance = random.Random(0)
    means = sorted(statistics.fmean(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]


def interval(values: Sequence[float], *, places: str = ".2f") -> str:
    low, high = bounds(values)
    return f"{statistics.fmean(values):{places}} ({low:{places}} to {high:{places}})"


def against(values: Sequence[float], others: Sequence[float]) -> str:
    """The difference, kernel by kernel; one whose interval holds 0, as it is and not as it prints, is in brackets."""
    apart = [one - other for one, other in zip(values, others, strict=True)]
    low, high = bounds(apart)
    text = interval(apart, places="+.3f" if 0.0 < min(abs(low), abs(high)) < 0.005 else "+.2f")
    return text if low > 0 or high < 0 else f"[{text}]"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All searches of what a folder holds, by strategy: of a provider that proposes by chance, and one that screens."""

    replay: Replay
    every: Sequence[World]
    worlds: Sequence[World]
    """Those with something to gain."""
    by_chance: dict[str, Found]
    by_screening: dict[str, Found]


@contextlib.contextmanager
def compared(folder: Path) -> Iterator[Compared]:
    """Search all that the folder holds."""
    every = [read_world(file) for file in sorted(folder.glob("*.json"))]
    worlds = [world for world in every if world.best >= WORTH]
    with tempfile.TemporaryDirectory() as name:
        replay = Replay(folder=Path(name), errors=list(screening_errors(runs())))
        found: dict[Knowledge, dict[str, Found]] = {
            knowledge: {one: searched(replay, worlds, one, knowledge) for one in STRATEGIES}
            for knowledge in get_args(Knowledge)
        }
        yield Compared(
            replay=replay,
            every=every,
            worlds=worlds,
            by_chance=found["chance"],
            by_screening=found["screening"],
        )


def runs() -> list[Run]:
    """What ran on a GPU: the campaign's runs as they stand now, and those from before it."""
    campaign = (one for way in recorded.WAYS for one in recorded.campaign(way).values())
    found = [one.run for one in (*campaign, *recorded.earlier())]
    return [run for run in found if run.baseline and run.environment and run.environment.device]


def unscreened(found: Compared, told: Told) -> str:
    """What is compared, and every strategy beside the default where the provider knows nothing."""
    return "\n".join([_recordings(found, told), "", *_strategies("proposed by chance", found.worlds, found.by_chance)])


def screened(found: Compared) -> str:
    """Every strategy beside the default where the provider screens."""
    return "\n".join(_strategies("proposed by screening", found.worlds, found.by_screening))


def memory(found: Compared) -> str:
    """What lessons of other kernels are worth to each strategy."""
    lines = [*_memory(found.replay, found.worlds, found.by_chance), ""]
    lines.append(_unseen(found.replay, found.worlds, found.by_chance[DEFAULT]))
    return "\n".join(lines)


def _recordings(found: Compared, told: Told) -> str:
    operations = {operation_of(world.kernel) for world in found.worlds}
    (alone, upon, third), (of_each, pairs) = found.every[0].most, found.every[0].parents
    return (
        f"{sum(len(world.verdicts) for world in found.every)} compiled sources of {len(found.every)} kernels, of "
        f"which {len(found.worlds)} (in {len(operations)} operations) have an edit that gains 1 % by {told}: "
        f"{alone} variants of a transform on the original, {upon} on {of_each} of each of those, {third} on {pairs} of "
        f"the pairs. {len(SEEDS)} searches each. Means over kernels with 95 % intervals; a difference within noise "
        f"stands in brackets."
    )


def _strategies(title: str, worlds: Sequence[World], found: dict[str, Found]) -> list[str]:
    rows = {strategy: scored(worlds, one) for strategy, one in found.items()}
    after = " | ".join(f"after {budget}" for budget in BUDGETS)
    budgets = [*map(str, BUDGETS), *(f"{budget} proposals" for budget in PROPOSALS)]
    more = " | ".join(f"gain after {budget}, less `{DEFAULT}`" for budget in budgets)
    lines = [
        f"| best found over best there is, {title} | {after} | {more} | ends alone: verdicts, proposals, gain |",
        "| --- |" + " --- |" * (len(BUDGETS) + len(budgets) + 1),
    ]
    for strategy, row in rows.items():
        shares = [interval(values) for values in row.shares]
        pairs = zip((*row.gains, *row.by_proposals), (*rows[DEFAULT].gains, *rows[DEFAULT].by_proposals), strict=True)
        gains = [against(*pair) for pair in pairs] if strategy != DEFAULT else [""] * len(budgets)
        alone = f"{row.verdicts:.1f}, {row.proposals:.1f}, {interval(row.ended)}"
        lines.append(f"| `{strategy}` | {' | '.join([*shares, *gains, alone])} |")
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


def measured(replay: Replay) -> str:
    """What the runs on a GPU themselves can tell strategies apart by."""
    found = runs()
    worlds = [of_run(run) for run in found]
    verdicts = [one.verdict for run in found for one in run.evaluations]
    timed = sum(isinstance(one, Passed) and one.timing is not None for one in verdicts)
    refused = sum(not isinstance(one, Passed) for one in verdicts)
    least = min(
        replay.search(world, strategy, knowledge, seed).best(BUDGETS[0]) / world.best
        for world in worlds
        if world.best > 1.0
        for strategy in STRATEGIES
        for knowledge in get_args(Knowledge)
        for seed in SEEDS
    )
    return (
        f"The {len(found)} runs recorded on an H200 hold {timed} candidates that were timed and {refused} that were "
        f"turned down, at most {max(len(run.evaluations) for run in found)} a run: after {BUDGETS[0]} verdicts every "
        f"strategy has at least {least:.3f} of the fastest, so they tell none apart."
    )
