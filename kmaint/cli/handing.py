"""Commands of a run whose proposals come from outside: ask what is next, hand an answer in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kmaint import console
from kmaint.cli.options import FormatOption, PythonOption, QuietOption, RunArgument, StateOption
from kmaint.console import Format


def next_request(
    run: RunArgument,
    state: StateOption = None,
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Write what a run asks for next into a folder, and say where; it is the same until it is answered.

    The run is one of the handoff provider: 'kmaint optimize HARNESS --provider handoff' begins it.

    \b
      TASK.md        what to do, in words; after a failure, with its reason
      kernel.py      the source to edit, here or elsewhere
      profile.json   what holds it back
      history.json   what was tried in this run, and what became of it
      asked.json     what is asked for on this turn, what is ruled out, what earlier runs taught
      partner.py     in a crossing, the candidate that has what is asked for
      request.json   which turn this is: number, role (coder or repair), parent, failed candidate

    Example: kmaint next merge_state_kernel-1a2b3c4d
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import handing as show

    config = load_config(state=state, python=python)
    found = workflow.next_request(run, config, console.Progress(quiet=quiet))
    raise typer.Exit(show.request(found, workflow.request_of(found, config), output))


def submit(
    run: RunArgument,
    file: Annotated[Path, typer.Argument(help="The edited kernel.py, or kernel.cu.")],
    plan: Annotated[
        Path | None,
        typer.Option(help='JSON: {"bottleneck": ..., "edit": ..., "why": ...}  [default: read off the edit]'),
    ] = None,
    state: StateOption = None,
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Hand in the answer to a run's request: it goes through the gate, is recorded, and its verdict printed.

    Then the next request is there. By strategy 'beam' a turn has several answers, each asked for in its turn, of
    which the best screened are judged: the last brings their verdicts, whosever they are. Refused, with nothing
    recorded: a file without a change, one that was judged before, one changed outside its regions, and any once the
    budget is spent.
    Example: kmaint submit RUN .kmaint/runs/RUN/requests/001/kernel.py
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import handing as show

    config = load_config(state=state, python=python)
    found, judged = workflow.submit(run, file, plan, config, console.Progress(quiet=quiet))
    raise typer.Exit(show.submitted(found, judged, workflow.request_of(found, config), output))
