"""The ledger of accepted wins. A win is accepted once it is landed with a measured speedup; attesting and proposing
are noted in its history, and so is every recheck."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

from kmaint import folder, wire
from kmaint.config import Config
from kmaint.ledger import Ledger
from kmaint.records.change import Landing, Patch
from kmaint.records.evaluation import speedup
from kmaint.records.harness import Harness
from kmaint.records.kernel import Release
from kmaint.records.ledger import State, Step, Win
from kmaint.records.run import Run


def accept(
    run: Run, patch: Patch, landing: Landing, config: Config, *, namesakes: tuple[str, ...] | None
) -> Win | None:
    """Keep the landed winner as an accepted win; None where it was not measured, and so claims nothing."""
    winner, found = run.winner, speedup(run.winner) if run.winner else None
    if winner is None or found is None or found.low <= 1:
        return None
    harness = folder.read_harness(Path(run.harness))
    origin = harness.provenance
    release = Release(framework=origin.framework, version=origin.version, commit=origin.commit, licence=origin.licence)
    landed = Step(state="landed", said=f"{landing.branch} in {landing.tree}", at=now(), release=release)
    win = Win(
        id=win_id(harness, patch),
        run=run.id,
        kernel=run.kernel,
        launcher=harness.entry if harness.level == "launcher" else "",
        release=release,
        patch=patch,
        original=harness.replaced.read_text(),
        source=winner.candidate.source,
        speedup=found,
        environment=winner.environment,
        history=(landed,),
        namesakes=namesakes,
    )
    with Ledger(config.state) as ledger:
        ledger.accept(win)
    return win


def win_id(harness: Harness, patch: Patch) -> str:
    """The same edits of the same kernel are the same win, whichever run found them, and whatever is said or shown of
    them: where there is no GPU, less can be shown of a guard."""
    edits = replace(patch, reason="", shown=())
    return f"{harness.kernel.strip('_')}-{wire.digest(edits, length=8)}"


def note(run: Run, config: Config, state: State, said: str) -> None:
    """Add to the history of the run's accepted wins, where that is news."""
    with Ledger(config.state) as ledger:
        for win in ledger.wins():
            if win.run == run.id and (state, said) not in [(step.state, step.said) for step in win.history]:
                ledger.add_step(win.id, Step(state=state, said=said, at=now(), release=win.release))


def all_wins(config: Config) -> list[Win]:
    """The ledger, oldest win first."""
    with Ledger(config.state) as ledger:
        return ledger.wins()


def published(run: Run, harness: Harness) -> str:
    """The run and its harness, whole but for the folders of the machine it ran on: they say nothing to a reader."""
    name = Path(run.harness).name
    content = {"harness": {**wire.dump(harness), "folder": name}, "run": {**wire.dump(run), "harness": name}}
    return wire.text(content, indent=1) + "\n"


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
