"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kmaint.console import Format

FormatOption = Annotated[Format, typer.Option("--format", help="table for people, json for scripts: one object.")]
StateOption = Annotated[Path | None, typer.Option("--state", help="Folder of runs and reports  [default: .kmaint]")]
PythonOption = Annotated[
    Path | None,
    typer.Option("--python", help="Interpreter with torch, triton, pytest, hypothesis  [default: kmaint's own]"),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")]
TreeArgument = Annotated[Path, typer.Argument(help="A source tree of SGLang or vLLM.")]
HarnessArgument = Annotated[Path, typer.Argument(help="A harness folder, as 'kmaint extract' writes it.")]
RunArgument = Annotated[str, typer.Argument(help="A run's id, or the beginning of one; 'kmaint runs' lists them.")]
CandidatesOption = Annotated[int | None, typer.Option(help="Budget: candidates through the whole gate, per kernel.")]
MinutesOption = Annotated[float | None, typer.Option(help="Budget: wall minutes, per kernel.")]
ProviderOption = Annotated[
    str | None,
    typer.Option(help="Who proposes candidates: builtin, openai, anthropic, command, handoff or scripted."),
]
ModelOption = Annotated[str | None, typer.Option(help="Name of the model, for openai and anthropic.")]
BaseUrlOption = Annotated[
    str | None, typer.Option(help="Where the model is served: http://127.0.0.1:8000/v1 for a local vLLM or SGLang.")
]
TokensOption = Annotated[int | None, typer.Option(help="Budget: tokens that models read and write, per kernel.")]
CostOption = Annotated[float | None, typer.Option(help="Budget: US dollars that models cost, per kernel.")]
StrategyOption = Annotated[
    str | None,
    typer.Option(
        help="How the search moves. greedy: always from the best so far; lines: two lines of edits, in turns; "
        "beam: the best 2 by 4 ideas each, pruned by screening; tree: any node, less where it failed often; "
        "islands: 3 populations with elites and crossover; bandit: kinds of edit by what they gained before."
    ),
]
MemoryOption = Annotated[
    Path | None,
    typer.Option("--memory", help="Lessons of other machines, to be used beside those of this state folder."),
]
ScriptedOption = Annotated[Path | None, typer.Option(help="Folder of candidate files for the scripted provider.")]
