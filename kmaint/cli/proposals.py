"""Commands on what a maintainer is shown: attest to a patch, open a pull request, keep accepted wins true."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kmaint import console
from kmaint.cli.options import FormatOption, PythonOption, QuietOption, RunArgument, StateOption, TreeArgument
from kmaint.console import Format
from kmaint.errors import UsageError


def attest(
    run: RunArgument,
    reviewer: Annotated[str, typer.Option(help="Who is at the terminal: 'Name <mail>'.")],
    state: StateOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show a person each hunk of a run's landed patch, and keep what they say of it: yes, or no and why.

    Nothing is pushed or opened before someone has said yes to every hunk. The answers hold for exactly this patch: when
    it changes, all of it is shown again. Needs a terminal. A sign-off is given by typing the line, never by a tool.
    Exit status 1 until all is attested. Example: kmaint attest merge_state_kernel-1a2b --reviewer 'Ada L <a@b.org>'
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import attesting as show

    config = load_config(state=state)
    found = workflow.find_run(run, config)
    raise typer.Exit(show.attestation(found.id, workflow.attest(found, reviewer, config, show.Terminal()), output))


def pull_request(
    run: RunArgument,
    into: Annotated[Path | None, typer.Option("--into", help="A checkout to land the run in first.")] = None,
    fork: Annotated[str | None, typer.Option(help="owner/name of your fork  [default: `fork` in kmaint.toml]")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--no-dry-run", " /--open", help="Write to disk what would be sent.")
    ] = True,
    not_a_duplicate: Annotated[
        str, typer.Option(metavar="WHY", help="Why those that mention the kernel are about something else.")
    ] = "",
    evidence: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK=FILE", help="What proves a check, kept for later calls; may be given again."),
    ] = None,
    python: PythonOption = None,
    state: StateOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Open, or update, a draft pull request on your fork for a run's landed patch. Writes to disk only, unless --open.

    The text fills the project's own template from the records. Opening is refused, with the reasons, until a win was
    measured and landed, a person has attested to every hunk ('kmaint attest'), and what the project's policy asks for
    is proven: engine_benchmark by 'kmaint bench', that and linters, framework_tests and accuracy by --evidence. The
    project's open pull requests are searched first; one that mentions the kernel stops it until --not-a-duplicate says
    why. Nothing is ever sent to the project itself: you take the draft there. The token: GITHUB_TOKEN, GH_TOKEN or
    'gh auth token'.
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import proposing as show

    wish = workflow.Wish(
        opened=not dry_run, fork=fork, into=into, not_a_duplicate=not_a_duplicate, evidence=_by_check(evidence or [])
    )
    config = load_config(python=python, state=state)
    found = workflow.find_run(run, config)
    progress = console.Progress(quiet=quiet)
    raise typer.Exit(show.proposed(found.id, workflow.propose(found, config, progress, wish), output))


def _by_check(words: list[str]) -> dict[str, Path]:
    for word in words:
        if "=" not in word:
            raise UsageError(f"--evidence {word}: no file named", "write it as --evidence accuracy=gsm8k.txt")
    return {name: Path(path) for name, _, path in (word.partition("=") for word in words)}


def ledger(state: StateOption = None, output: FormatOption = Format.TABLE) -> None:
    """List accepted wins: what each was worth, on which upstream, and what the last recheck said.

    A win is accepted when 'kmaint reintegrate' or 'kmaint maintain' lands it with a speedup that was measured.
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import proposing as show

    show.ledger(workflow.all_wins(load_config(state=state)), output)


def recheck(
    tree: TreeArgument,
    win: Annotated[
        list[str] | None, typer.Option(help="A win's id; may be given again  [default: all not retired]")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was checked on this commit before.")] = False,
    python: PythonOption = None,
    state: StateOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Carry every accepted win over to another upstream, judge it again, and time it where there is a GPU.

    \b
      holds       applies, is right, and faster where it was timed (else it says: not timed)
      unjudged    applies; whether it is right cannot be told on this machine
      conflicts   upstream changed the same lines, or what they rest on
      overtaken   upstream has the edit, or is as fast without it: the win is retired
      regressed   applies, and is wrong or no faster
      gone        the kernel is no longer there; what is near is named

    TREE is read only: the work is done in a clone of its HEAD. Exit status 1 unless every win holds.
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import proposing as show

    config = load_config(python=python, state=state)
    found = workflow.recheck(tree, config, console.Progress(quiet=quiet), ids=win or (), again=again)
    raise typer.Exit(show.rechecked(tree, found, output))
