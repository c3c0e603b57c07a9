"""The command line: parses, calls the workflow, prints. No logic lives here."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import kmaint
from kmaint import console
from kmaint.cli import engines, handing, harnesses, learning, machine, proposals, runs, trees
from kmaint.console import Format
from kmaint.errors import KmaintError

app = typer.Typer(
    name="kmaint",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    help="""Keeps the GPU kernels of SGLang and vLLM fast and right.

    The road, one command a step, each repeatable by hand:

    \b
      kmaint fetch sglang==0.5.17 -o sglang   a released tree, as a git checkout
      kmaint scan sglang                      what is there, who launches it
      kmaint capture -o CALLS -- COMMAND      how a running engine calls it
      kmaint extract sglang ID -o harnesses   one kernel, standing alone
      kmaint testgen HARNESS                  a Hypothesis suite beside it
      kmaint mutate HARNESS                   which small defects does the suite notice?
      kmaint parity HARNESS                   is the harness the op it was cut from?
      kmaint check HARNESS FILE               is this candidate right, and faster?
      kmaint optimize HARNESS                 look for a faster variant
      kmaint next RUN | submit RUN FILE       be the one who proposes it
      kmaint reintegrate RUN --into sglang    a branch with the smallest patch
      kmaint bench RUN --engine vllm --model  the whole engine, base against patched
      kmaint report RUN                       one HTML page, the pull-request text
      kmaint attest RUN --reviewer WHO        a person is shown each hunk, and answers
      kmaint pr RUN                           a draft on your fork; a dry run, unless --open
      kmaint ledger                           accepted wins, and how each stands
      kmaint recheck sglang                   are they still wins on this upstream?
      kmaint maintain sglang --kernel ID      all of it, resumable
      kmaint nightly sglang                   what is new, what still holds
      kmaint watch RUN                        how a run goes on
      kmaint stats                            what runs took, and what they gave
      kmaint export RUN --to sft              their attempts, to train a model on
      kmaint memory                           what the runs so far taught

    Beside it: kmaint doctor says what this machine can do, kmaint explain CODE
    what a verdict means, kmaint mcp offers the steps to an editor or agent.

    Exit codes: 0 done; 1 done, and the answer is no; 2 wrong usage or input;
    3 something needed is missing; 4 our own fault; 130 interrupted. Results go
    to standard output, progress to standard error.""",
)


def run() -> None:
    """Run the command line; an error of the user's world becomes one line and its exit code."""
    try:
        app()
    except KmaintError as error:
        as_json = "--format=json" in sys.argv or ("--format", "json") in zip(sys.argv, sys.argv[1:], strict=False)
        console.print_error(error, Format.JSON if as_json else Format.TABLE)
        sys.exit(error.exit_code)


def _version(wanted: bool) -> None:
    if wanted:
        console.print_lines([f"kmaint {kmaint.__version__}"])
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


app.command()(trees.fetch)
app.command()(trees.scan)
app.command(context_settings={"allow_interspersed_args": False})(trees.capture)
app.command(name="extract")(trees.extract_command)
app.command(name="testgen")(harnesses.write_tests)
app.command()(harnesses.mutate)
app.command()(learning.export)
app.command(name="import")(harnesses.import_command)
app.command()(harnesses.parity)
app.command()(harnesses.check)
app.command()(harnesses.optimize)
app.command(name="next")(handing.next_request)
app.command()(handing.submit)
app.command()(runs.reintegrate)
app.command()(engines.bench)
app.command()(runs.report)
app.command()(proposals.attest)
app.command(name="pr")(proposals.pull_request)
app.command()(proposals.ledger)
app.command()(proposals.recheck)
app.command()(runs.maintain)
app.command()(runs.nightly)
app.command()(runs.runs)
app.command()(learning.watch)
app.command()(learning.stats)
app.command()(machine.doctor)
app.command()(machine.explain)
app.command()(machine.mcp)
app.command()(runs.memory)
