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

from benchmarks.replay.scoring import PROPOSALS, SEEDS, Found, scored, searched, taught_by_others
from benchmarks.replay.searching import BUDGETS, Replay
from benchmarks.replay.worlds import Knowledge, World, read_run, read_world, screening_errors
from kmaint.agent.builtin import WORTH
from kmaint.agent.operations import operation_of
from kmaint.agent.strategies import STRATEGIES
from kmaint.config import load_config

RESULTS = Path(__file__).parents[1] / "results"
RUNS = (RESULTS / "2026-11-21-h200", *sorted((RESULTS.parent / "campaign").iterdir()))
"""Folders of what ran on a GPU."""

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


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All searches of what a folder holds, by strategy: of a provider that proposes by chance, and one that screens."""

    replay: Replay
    recorded: Sequence[World]
    worlds: Sequence[World]
    """Those with something to gain."""
    by_chance: dict[str, Found]
    by_screening: dict[str, Found]


@contextlib.contextmanager
def compared(folder: Path) -> Iterator[Compared]:
    """Search all that the folder holds."""
    recorded = [read_world(file) for file in sorted(folder.glob("*.json"))]
    worlds = [world for world in recorded if world.best >= WORTH]
    with tempfile.TemporaryDirectory() as name:
        replay = Replay(folder=Path(name), errors=list(screening_errors(runs())))
        found: dict[Knowledge, dict[str, Found]] = {
            knowledge: {one: searched(replay, worlds, one, knowledge) for one in STRATEGIES}
            for knowledge in get_args(Knowledge)
        }
        yield Compared(
            replay=replay,
            recorded=recorded,
            worlds=worlds,
            by_chance=found["chance"],
            by_screening=found["screening"],
        )


def runs() -> list[Path]:
    """Files of what ran on a GPU."""
    return [file for where in RUNS for file in sorted(where.glob("*.json"))]


def strategies(found: Compared, told: Told) -> str:
    """What is compared, and every strategy beside the default."""
    lines = [_recordings(found, told), ""]
    lines += [*_strategies("proposed by chance", found.worlds, found.by_chance), ""]
    lines += _strategies("proposed by screening", found.worlds, found.by_screening)
    return "\n".join(lines)


def memory(found: Compared) -> str:
    """What lessons of other kernels are worth to each strategy."""
    lines = [*_memory(found.replay, found.worlds, found.by_chance), ""]
    lines.append(_unseen(found.replay, found.worlds, found.by_chance[DEFAULT]))
    return "\n".join(lines)


def _recordings(found: Compared, told: Told) -> str:
    operations = {operation_of(world.kernel) for world in found.worlds}
    return (
        f"{sum(len(world.verdicts) for world in found.recorded)} compiled sources of {len(found.recorded)} kernels, of "
        f"which {len(found.worlds)} (in {len(operations)} operations) have an edit that gains 1 % by {told}; "
        f"{len(SEEDS)} searches each. Means over kernels with 95 % intervals; a difference within noise stands in "
        f"brackets."
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
    worlds = [read_run(file) for file in runs()]
    won = [world for world in worlds if world.best > 1.0]
    candidates = sum(len(world.verdicts) for world in worlds)
    least = min(
        replay.search(world, strategy, knowledge, seed).best(BUDGETS[0]) / world.best
        for world in won
        for strategy in STRATEGIES
        for knowledge in get_args(Knowledge)
        for seed in SEEDS
    )
    return (
        f"The {len(worlds)} runs recorded on an H200 hold {candidates} measured candidates, at most "
        f"{max(len(world.verdicts) for world in worlds)} a kernel: after {BUDGETS[0]} verdicts every strategy has at "
        f"least {least:.3f} of the fastest, so they tell none apart."
    )
