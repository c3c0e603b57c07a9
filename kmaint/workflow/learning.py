"""Finished runs to figures of merit, and a harness to an environment to train in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kmaint import agent, evaluate, learning
from kmaint.config import Config
from kmaint.errors import MissingError
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.records.spent import Spent
from kmaint.store import Store
from kmaint.workflow.progress import Progress

if TYPE_CHECKING:
    from kmaint.learning.environment import KernelEnvironment


def spent_by(runs: Sequence[str], config: Config) -> list[tuple[Run, Spent]]:
    """Those runs, or all where none is named, each with what it used up."""
    with Store(config.state) as store:
        found = [store.run(text) for text in runs] or store.runs()
        return [(run, learning.spent(run, store.events(run.id))) for run in found]


def statistics(runs: Sequence[str], config: Config) -> learning.Statistics:
    """Figures of merit of those runs, or of all."""
    return learning.statistics(spent_by(runs, config))


@contextlib.contextmanager
def open_environment(harness: Harness, config: Config, progress: Progress) -> Iterator[KernelEnvironment]:
    """The harness as an environment to train in, judged on this machine, with the settings' budget for each episode."""
    try:
        from kmaint.learning.environment import KernelEnvironment  # the extra `rl`, only where it is asked for
    except ImportError as error:
        raise MissingError("an environment needs the package gymnasium", "pip install 'kmaint[rl]'") from error
    cold = evaluate.open_bench(config.python, device=config.device, progress=progress)
    with evaluate.warmed(cold) as bench:
        baseline = evaluate.baseline(harness, bench)
        yield KernelEnvironment(harness, bench, baseline, agent.budget_of(config))
