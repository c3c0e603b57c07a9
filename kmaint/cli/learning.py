"""Commands that read what runs left: figures of merit, data sets, a view of one that still runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kmaint import console
from kmaint.cli.options import FormatOption, PythonOption, QuietOption, RunArgument, StateOption
from kmaint.console import Format

if TYPE_CHECKING:
    from kmaint.learning import Dataset

RunsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="RUN", help="Ids of runs, or their beginnings  [default: all]")
]


class ExportFormat(StrEnum):
    """What a harness, or what runs can be exported to."""

    FLASHINFER = "flashinfer-trace"
    SFT = "sft"
    PREFERENCE = "preference"
    RL = "rl"


DATASETS: dict[ExportFormat, Dataset] = {
    ExportFormat.SFT: "sft",
    ExportFormat.PREFERENCE: "preference",
    ExportFormat.RL: "rl",
}


def stats(run: RunsArgument = None, state: StateOption = None, output: FormatOption = Format.TABLE) -> None:
    """What runs took and what they gave: money, tokens, minutes, how far candidates got, pass@k, speedup@k, fast_p.

    \b
      device min   wall time of the gate's rungs that hold a GPU
      wall min     time in which a process was at work; unknown of a run that wrote no events
      money        unknown where a model's price is: a sum with an unknown part is unknown
      right        no result was found wrong; honest: no trick was found
      faster       the whole 95 % interval lies above 1; accepted: the gate calls it a win
      pass@k       probability that k attempts at a kernel hold one that passes; accept@k: one that is accepted
      speedup@k    expected best of k, the shipped code's 1 where none is accepted; geometric mean over kernels

    The @k are over all ways to draw k of the attempts made, and average over kernels with so many. Rows without a GPU
    say nothing of speed. Example: kmaint stats --format json
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import learning as show

    show.statistics(workflow.statistics(run or [], load_config(state=state)), output)


def export(
    source: Annotated[
        list[str] | None, typer.Argument(metavar="HARNESS|RUN", help="A harness folder; or runs  [default: all]")
    ] = None,
    to: Annotated[ExportFormat, typer.Option("--to", help="What to make of it.")] = ExportFormat.FLASHINFER,
    into: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder or file to write  [default: named after --to]")
    ] = None,
    state: StateOption = None,
    python: PythonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write a harness as FlashInfer Trace files, or the attempts of runs as a data set to train on.

    \b
      flashinfer-trace   HARNESS  Definition, Solution, Workload, as flashinfer-bench reads them: 'kmaint import' brings
                                  all back. A Definition fixes dtypes and chosen sizes: one harness may give several
      sft                RUN...   JSON lines: prompt and completion of each accepted edit
      preference         RUN...   prompt, chosen, rejected from one parent, further apart than either was measured
      rl                 RUN...   prompt, completion, reward, label of every attempt

    The latter three load with datasets.load_dataset("json", data_files=FILE) and hold the whole attempt: code before
    and after, plan, verdict, profile, parts of the reward, lineage. Places in the file system are cut from prose, and a
    source that names one or holds a secret stays here. Example: kmaint export --to preference -o pairs.jsonl
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import learning as show

    config = load_config(state=state, python=python)
    if to is ExportFormat.FLASHINFER:
        console.print_lines(map(str, workflow.export_trace(source or [], into or Path(to), config)))
        return
    file = into or Path(f"{to}.jsonl")
    progress = console.Progress(quiet=quiet)
    show.exported(file, workflow.export_trajectories(source or [], DATASETS[to], file, config, progress))


def watch(run: RunArgument, state: StateOption = None) -> None:
    """Watch a run go on: what is left of its budget, what is under way, the best so far, the last verdicts.

    Reads the state folder only, so it watches any number of processes and disturbs none. It ends with the run, with
    exit status 0 if that has a winner. In a pipe it prints a line for each verdict. Ctrl-C leaves, and the run goes on.
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import watching as show

    raise typer.Exit(show.watch(workflow.watch(run, load_config(state=state))))
