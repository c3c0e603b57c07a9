"""Commands on runs: land a winner, report it, go the whole road, list what was tried."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kmaint import console
from kmaint.cli.options import (
    BaseUrlOption,
    CandidatesOption,
    CostOption,
    FormatOption,
    MemoryOption,
    MinutesOption,
    ModelOption,
    ProviderOption,
    PythonOption,
    QuietOption,
    RunArgument,
    ScriptedOption,
    StateOption,
    StrategyOption,
    TokensOption,
    TreeArgument,
)
from kmaint.console import Format


def reintegrate(
    run: RunArgument,
    tree: Annotated[Path, typer.Option("--into", help="The git checkout that the kernel was extracted from.")],
    branch: Annotated[str | None, typer.Option(help="Name of the branch  [default: kmaint/RUN]")] = None,
    python: PythonOption = None,
    state: StateOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Put a run's winner on a branch: one commit, the smallest kind of patch that carries the win.

    Where no kind carries it, the run's next best win is taken, and the run is for that one from then on.

    A table's rows, an edit in place, a guarded variant, or a backend in the registry, with a test where there is an
    oracle. Refused, with the reason, if a file moved since extraction, the worktree is dirty, or the framework's own
    linters or tests, which run in --python, take it for worse; your checkout is never touched.
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import runs as show

    config = load_config(python=python, state=state)
    found = workflow.find_run(run, config)
    landing = workflow.land(found, tree, config, console.Progress(quiet=quiet), branch=branch)
    show.landing(workflow.find_run(found.id, config), landing, output)


def report(
    run: Annotated[list[str] | None, typer.Argument(metavar="RUN", help="A run's id, or the beginning of one.")] = None,
    every: Annotated[bool, typer.Option("--all", help="One page for all runs.")] = False,
    into: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for the page of many runs  [default: STATE/campaign.html]"),
    ] = None,
    state: StateOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Write a run's HTML page and pull-request text; prints their paths.

    With --all, with several runs or with -o, one page for all of them: a line a kernel, what was tried on it and what
    that took, and links to the runs' own pages. Example: kmaint report --all -o campaign.html
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import runs as show

    config = load_config(state=state)
    named = run or []
    if every or into or len(named) != 1:
        show.campaign(*workflow.write_campaign(None if every else named, into, config), output)
        return
    found = workflow.find_run(named[0], config)
    show.reports(found, workflow.write_reports(found, config, workflow.earlier_landing(found, config)), output)


def maintain(
    tree: TreeArgument,
    kernel: Annotated[list[str] | None, typer.Option(help="A kernel to take up; may be given again.")] = None,
    provider: ProviderOption = None,
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    scripted: ScriptedOption = None,
    strategy: StrategyOption = None,
    memory: MemoryOption = None,
    candidates: CandidatesOption = None,
    minutes: MinutesOption = None,
    tokens: TokensOption = None,
    cost: CostOption = None,
    state: StateOption = None,
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Take kernels all the way: extract, test, improve, land on a branch, report.

    Without --kernel, the few most worth it. Killed at any point, the same command goes on where it was.
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import runs as show

    budget = {"candidates": candidates, "minutes": minutes, "tokens": tokens, "cost": cost}
    who = {"provider": provider, "model": model, "base_url": base_url, "scripted": scripted}
    config = load_config(**who, **budget, strategy=strategy, memory=memory, state=state, python=python)
    done = workflow.maintain(tree, kernel or [], config, console.Progress(quiet=quiet))
    raise typer.Exit(show.maintained(done, output))


def nightly(
    upstream: Annotated[
        str,
        typer.Argument(help="A checkout; or sglang or vllm for the newest release, or a release: sglang==0.5.23."),
    ],
    kernels: Annotated[int, typer.Option(min=0, help="Budget: kernels taken up in this night.")] = 3,
    night_minutes: Annotated[
        float | None, typer.Option(help="Budget: no kernel is begun once so many minutes have passed.")
    ] = None,
    night: Annotated[
        str | None, typer.Option(help="Name the night is kept under  [default: today's date and the framework]")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(help="File to which the summary is added as Markdown: $GITHUB_STEP_SUMMARY.")
    ] = None,
    provider: ProviderOption = None,
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    scripted: ScriptedOption = None,
    strategy: StrategyOption = None,
    memory: MemoryOption = None,
    candidates: CandidatesOption = None,
    minutes: MinutesOption = None,
    tokens: TokensOption = None,
    cost: CostOption = None,
    state: StateOption = None,
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Look at an upstream once a day: what changed, whether accepted wins still hold, which kernels are worth a try.

    The steps: upstream, scan, changes, recheck, optimize, drafts. Each ends done, nothing (to do), skipped (a step that
    it needs failed) or failed; a failed one takes no other with it. Kernels that changed come first, and what was tried
    in an earlier night is tried again only when its text changed. No draft is opened: that takes a person.

    Killed at any point, the same command goes on where it was. All is kept in the state folder, under nightly/NIGHT:
    night.json, kernels.json, summary.md. Exit status 1 where a step failed.

    \b
    kmaint nightly sglang --state state --night-minutes 240
    kmaint nightly vllm-checkout --kernels 1 --summary "$GITHUB_STEP_SUMMARY"
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import nightly as show

    budget = {"candidates": candidates, "minutes": minutes, "tokens": tokens, "cost": cost}
    who = {"provider": provider, "model": model, "base_url": base_url, "scripted": scripted}
    config = load_config(**who, **budget, strategy=strategy, memory=memory, state=state, python=python)
    wanted = workflow.Wanted(upstream=upstream, night=night, kernels=kernels, minutes=night_minutes)
    found, page = workflow.nightly(wanted, config, console.Progress(quiet=quiet))
    raise typer.Exit(show.night(found, page, summary, output))


def memory(
    export: Annotated[Path | None, typer.Option(help="Add the lessons to this file: JSON lines, with sources.")] = None,
    file: MemoryOption = None,
    state: StateOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List what the runs of a state folder taught: edits that won and edits that were traps, and where.

    'kmaint optimize' uses them by itself; a file carries them to another machine's 'kmaint optimize --memory FILE'.
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import memory as show

    found = workflow.all_lessons(load_config(memory=file, state=state))
    show.lessons(found, workflow.export_lessons(found, export) if export else None, output)


def runs(state: StateOption = None, output: FormatOption = Format.TABLE) -> None:
    """List the runs of a state folder, newest last: how each stands, its best so far, and how long ago it was begun.

    One that says `stopped` has no process at work on it: the command that began it goes on where it was.
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import runs as show

    show.runs(workflow.list_runs(load_config(state=state)), output)
