"""Commands about kmaint itself: what this machine can do, what its words mean, its tools for editors and agents."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kmaint import console
from kmaint.cli.options import FormatOption, PythonOption, QuietOption, StateOption
from kmaint.console import Format
from kmaint.records.machine import Purpose


def doctor(
    purpose: Annotated[Purpose, typer.Option("--for", help="What is to be done.")] = "core",
    python: PythonOption = None,
    state: StateOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Say what this machine can do, what is missing, and the command that gets it. Changes nothing.

    \b
      ok        there, and of use
      limited   works in part: the line says which part does not
      missing   not there; exit status 3 where what --for names cannot be done without it

    Example: kmaint doctor --for optimize --python /opt/vllm/bin/python
    """
    from kmaint.config import load_config
    from kmaint.doctor import examine
    from kmaint.show import doctor as show

    config = load_config(python=python, state=state)
    found = examine(config, purpose, console.Progress(quiet=quiet))
    raise typer.Exit(show.diagnosis(found, output))


def mcp(python: PythonOption = None, state: StateOption = None) -> None:
    """Offer scan, extract, check and report as tools to an editor or a coding agent, over its standard streams.

    The Model Context Protocol: the client starts this command. A result is the object that --format json prints;
    nothing that leaves the machine is among the tools. Needs the extra mcp: pip install 'kmaint[mcp]'.

    Example, in a client's settings: {"command": "kmaint", "args": ["mcp", "--python", "/opt/vllm/bin/python"]}
    """
    from kmaint.config import load_config
    from kmaint.errors import MissingError

    try:
        from kmaint.cli.serving import serve
    except ModuleNotFoundError as error:
        raise MissingError(
            f"no {error.name} beside kmaint", f"'{sys.executable} -m pip install kmaint[mcp]' adds it"
        ) from error
    serve(load_config(python=python, state=state))


def explain(
    word: Annotated[
        str | None, typer.Argument(metavar="VERDICT|CODE", help="A verdict, code or state  [default: list them all]")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Say what a verdict, code or state means, how it is found, what brings it about, and what to do then.

    \b
    kmaint explain wrong
    kmaint explain stale_result
    """
    from kmaint import explained
    from kmaint.show import explain as show

    if word is None:
        show.listed(explained.explanations(), output)
    else:
        show.explained(explained.explain(word), output)
