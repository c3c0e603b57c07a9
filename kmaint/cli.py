"""The command line: parses, calls the workflow, prints. No logic lives here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

import kmaint
from kmaint import console
from kmaint.console import Format, ScanFormat
from kmaint.errors import KmaintError, UsageError
from kmaint.records.kernel import Language, Role

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
      kmaint parity HARNESS                   is the harness the op it was cut from?
      kmaint check HARNESS FILE               is this candidate right, and faster?
      kmaint optimize HARNESS                 look for a faster variant
      kmaint reintegrate RUN --into sglang    a branch with the smallest patch
      kmaint report RUN                       one HTML page, the pull-request text
      kmaint maintain sglang --kernel ID      all of it, resumable

    Exit codes: 0 done; 1 done, and the answer is no; 2 wrong usage or input;
    3 something needed is missing; 4 our own fault; 130 interrupted. Results go
    to standard output, progress to standard error.""",
)


class TraceFormat(StrEnum):
    """What a harness can be exported to."""

    FLASHINFER = "flashinfer-trace"


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
ProviderOption = Annotated[str | None, typer.Option(help="Who proposes candidates: builtin (no model) or scripted.")]
ScriptedOption = Annotated[Path | None, typer.Option(help="Folder of candidate files for the scripted provider.")]


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


@app.command()
def fetch(
    release: Annotated[str, typer.Argument(help="sglang==VERSION or vllm==VERSION.")],
    into: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to make; one that holds the release is left alone.")
    ],
    quiet: QuietOption = False,
) -> None:
    """Unpack a released source tree as a git repository with one commit.

    Takes the source distribution where there is one, else a wheel; sources only, no compiled libraries. The index's
    hash is verified. Example: kmaint fetch vllm==0.26.0 -o vllm
    """
    import extract

    console.print_lines([str(extract.fetch_release(release, into, progress=console.Progress(quiet=quiet)))])


def _one_of(names: Sequence[str]) -> Any:
    """An option whose value is one of some names."""

    def parse(text: str) -> str:
        if text not in names:
            raise typer.BadParameter(f"{text!r} is none of {', '.join(names)}")
        return text

    return typer.Option(parser=parse, metavar="NAME", help=f"Only this; may be given again. {', '.join(names)}")


@app.command()
def scan(
    tree: TreeArgument,
    output: Annotated[
        ScanFormat,
        typer.Option("--format", help="table and markdown for people, json and sarif for tools, html to browse"),
    ] = ScanFormat.TABLE,
    into: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write, whole or not at all  [default: standard output]"),
    ] = None,
    hot: Annotated[
        list[Path] | None,
        typer.Option(help="Rank by GPU time in this trace (or folder of traces); may be given again.", metavar="TRACE"),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Add age, last change and authors: walks the log, seconds to a minute.")
    ] = False,
    language: Annotated[list[str] | None, _one_of(get_args(Language))] = None,
    role: Annotated[list[str] | None, _one_of(get_args(Role))] = None,
    match: Annotated[str, typer.Option(help="Only kernels whose id (path::name) contains this text.")] = "",
    top: Annotated[int | None, typer.Option(min=1, help="Only the best ranked.")] = None,
    use_cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Read again only what changed since the last scan of the tree.")
    ] = True,
    quiet: QuietOption = False,
) -> None:
    """List every kernel of a tree: who launches it, who tests it, what tunes it, and which are worth a look first.

    Role: "kernel" is launched from the host, "device" is called by kernels only, "declaration" has no body, and
    "unknown" is what no launch and no use was found of: never dropped.

    Without --hot, launched kernels rank by the sum of these signals (points each):

    \b
      called           1  for each function that calls a launcher, at most 8
      registered       1  a registry of the framework names it or its launcher
      no test          3  no test of the framework reaches it
      no tuned config  2  its tuning tables lack a common device
      fixed launch     1  neither autotuned nor tuned by tables
      no benchmark     1  no benchmark of the framework reaches it

    A wheel holds neither tests nor benchmarks: there, lacking them is unknown and no signal.

    TRACE is a torch.profiler trace (.json, .json.gz: what vLLM and SGLang write when profiling is started), or an
    Nsight Systems report exported with 'nsys export --type sqlite' (profile with --cuda-graph-trace=node).

    \b
    Examples:
      kmaint scan sglang                                       the best ranked, as many as fit
      kmaint scan vllm --hot profile.pt.trace.json.gz --top 20
      kmaint scan vllm --language cuda --match csrc/moe | less
      kmaint scan vllm --format html -o kernels.html           search, filter, sort in a browser
      kmaint scan vllm --format sarif -o kernels.sarif         for GitHub code scanning
      kmaint scan vllm --format json | jq '.kernels[] | select(.tests == []) | .id'
    """
    from extract.survey import survey
    from kmaint import show_scan
    from kmaint.ranking import Selection

    selection = Selection(languages=tuple(language or ()), roles=tuple(role or ()), text=match, top=top)
    progress = console.Progress(quiet=quiet)
    found = survey(tree, progress, traces=hot or (), history=history, use_cache=use_cache)
    show_scan.scan(found, output, into, selection)


@app.command(context_settings={"allow_interspersed_args": False})
def capture(
    command: Annotated[list[str], typer.Argument(help="What to run, after --: any program, with its arguments.")],
    record: Annotated[Path, typer.Option("--output", "-o", help="File to write: a header, then one call a line.")],
    tree: Annotated[
        Path | None, typer.Option(help="Source tree that names the kernels  [default: what COMMAND's Python imports]")
    ] = None,
    kernel: Annotated[
        list[str] | None, typer.Option(help="Watch this kernel and its launchers; may be given again.  [default: all]")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Run a program and record how it calls a framework's kernels: shapes, dtypes, strides, values, how often.

    Neither the framework nor the program changes, and children are recorded however they are started, unless without
    PYTHONPATH or with Python's -E, -I or -S. COMMAND keeps its streams, and its exit status is ours; a table of what
    was called goes to standard error. Of index tensors the first 4,096 values are kept, of other tensors none.
    Every call is counted; past 256 of a launcher, one in 31 is looked at and stands for those.

    What Python does not call is not seen: a captured CUDA graph replays without it, and torch.compile takes launchers
    in. So run engines eagerly (vLLM --enforce-eager, SGLang --disable-cuda-graph).

    \b
    kmaint capture -o calls.jsonl -- vllm bench latency --model DIR --enforce-eager
    kmaint extract TREE KERNEL --calls calls.jsonl -o harnesses
    """
    from kmaint import show, workflow

    progress = console.Progress(quiet=quiet)
    found, status = workflow.capture(command, record, progress, tree=tree, kernels=kernel or [])
    if not quiet:
        show.capture(found, record)
    raise typer.Exit(status)


@app.command(name="extract")
def extract_command(
    tree: TreeArgument,
    into: Annotated[Path, typer.Option("--output", "-o", help="Folder to put the harness folders into.")],
    kernel: Annotated[
        str | None, typer.Argument(help="A kernel's id (path::name), its name, or its launcher's.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every Triton kernel that is launched, not one.")] = False,
    launcher: Annotated[
        str | None, typer.Option(help="Which host function is the entry point, if there are several.")
    ] = None,
    calls: Annotated[
        Path | None, typer.Option(help="Record of 'kmaint capture': the calls it saw become workloads.")
    ] = None,
    tests: Annotated[
        bool | None,
        typer.Option(
            help="Read how the framework's tests and benchmarks call a kernel: seconds for each, so by default for one"
            " kernel and not with --all."
        ),
    ] = None,
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Cut kernels out of a tree, with all they need, so that each runs with torch and triton alone.

    Each ends ready (its suite's smoke example passes under Triton's interpreter), imports (it loads, but nobody knows
    how to call it) or stopped, with the symbol that stopped it. Where no launcher can come along (a method's, or one
    that needs the engine), the kernel is cut alone, with a generated function that launches it.

    Workloads come from the calls that a capture saw; else from the framework's tests and benchmarks, whose shapes the
    suite checks, and which are timed at the sizes of served models; else the kernel is tried until it runs.

    With --all on every core, and what an earlier call finished is left as it is. Example: kmaint extract vllm --all -o
    harnesses --format json | jq .counts
    """
    import extract
    from kmaint import show, workflow
    from kmaint.config import load_config

    if every == (kernel is not None):
        raise UsageError("name one kernel, or --all", "'kmaint scan TREE' lists them")
    if every and launcher is not None:
        raise UsageError(f"--launcher {launcher!r} goes with one kernel, not with --all", "leave it out")
    config, found = load_config(python=python), extract.scan_tree(tree)
    sources = workflow.sources_of(tree, calls, tests=not every if tests is None else tests)
    if kernel is not None:
        wanted = extract.Wanted(kernel=extract.find_kernel(found, kernel), launcher=launcher)
        progress = console.Progress(quiet=quiet)
        one = workflow.extract_kernel(tree, found, wanted, into, config, sources=sources, progress=progress)
        raise typer.Exit(show.extraction(one, output))
    with console.Status(quiet=quiet) as status:
        ended = workflow.extract_all(tree, found, into, config, status, sources=sources)
    raise typer.Exit(show.extracted_tree(ended, output))


@app.command(name="testgen")
def write_tests(harness: HarnessArgument, output: FormatOption = Format.TABLE) -> None:
    """Write a Hypothesis suite, test_kernel.py, into a harness folder.

    Run it with plain pytest there: on a CPU under the Triton interpreter, on a GPU as it is.
    """
    from kmaint import folder, show
    from testgen import write_suite

    show.suite(write_suite(folder.read_harness(harness)), output)


@app.command(name="export")
def export_command(
    harness: HarnessArgument,
    into: Annotated[Path, typer.Option("--output", "-o", help="Trace folder; made, or added to.")] = Path(
        "flashinfer-trace"
    ),
    to: Annotated[TraceFormat, typer.Option("--to", help="Whose files.")] = TraceFormat.FLASHINFER,
    python: PythonOption = None,
) -> None:
    """Write a harness as FlashInfer Trace files: Definition, Solution and Workload, as flashinfer-bench reads them.

    A Definition fixes dtypes and chosen sizes, so one harness may give several. 'kmaint import' brings it all back.
    """
    import extract.interchange
    from kmaint import folder
    from kmaint.config import load_config

    del to  # the one there is
    python = load_config(python=python).python
    paths = extract.interchange.export_trace(folder.read_harness(harness), into, python=str(python))
    console.print_lines(str(path) for path in paths)


@app.command(name="import")
def import_command(
    source: Annotated[Path, typer.Argument(help="A FlashInfer Trace folder, or one Solution file of it.")],
    into: Annotated[Path, typer.Option("--output", "-o", help="Folder to put the harness folders into.")],
) -> None:
    """Bring back the harnesses that 'kmaint export' put into a FlashInfer Trace folder, byte for byte."""
    import extract.interchange

    console.print_lines(str(harness.folder) for harness in extract.interchange.import_trace(source, into))


@app.command()
def check(
    harness: HarnessArgument,
    file: Annotated[Path, typer.Argument(help="A candidate: the harness's kernel.py, changed inside its regions.")],
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Take a candidate through the gate; the first rung it fails is its verdict.

    The rungs: lint, compile, suite under the interpreter, suite on the device, numerics, time, profile.
    """
    from kmaint import folder, show, workflow
    from kmaint.config import load_config

    config = load_config(python=python)
    evaluation = workflow.check(folder.read_harness(harness), file, config, console.Progress(quiet=quiet))
    raise typer.Exit(show.evaluation(evaluation, output))


@app.command()
def parity(
    harness: HarnessArgument,
    tree: Annotated[
        Path | None, typer.Option(help="A released tree: its file is loaded alone where the framework does not import.")
    ] = None,
    path: Annotated[
        list[Path] | None, typer.Option(help="Folder to import the framework from; may be given again.")
    ] = None,
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Hold a harness against the shipped op: the same bits on every workload, and on a GPU within 3 % of its speed.

    The record stays in the harness as parity.json; a harness that fails it is not optimised. --python names the
    interpreter that has the framework. Example: kmaint parity HARNESS --python /opt/vllm/bin/python
    """
    from kmaint import folder, show, workflow
    from kmaint.config import load_config

    config = load_config(python=python)
    found = workflow.hold(
        folder.read_harness(harness), config, console.Progress(quiet=quiet), paths=path or [], tree=tree
    )
    raise typer.Exit(show.parity(found, output))


@app.command()
def optimize(
    harness: HarnessArgument,
    provider: ProviderOption = None,
    scripted: ScriptedOption = None,
    candidates: CandidatesOption = None,
    minutes: MinutesOption = None,
    state: StateOption = None,
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Plan, code, test, profile: look for a faster variant until the budget ends. A killed run resumes where it was.

    Without a GPU nothing is timed: what is found is marked estimated and claims no speedup.
    """
    from kmaint import folder, show, workflow
    from kmaint.config import load_config

    config = load_config(
        provider=provider, scripted=scripted, candidates=candidates, minutes=minutes, state=state, python=python
    )
    found = workflow.optimize(folder.read_harness(harness), config, console.Progress(quiet=quiet))
    raise typer.Exit(show.run(found, output))


@app.command()
def reintegrate(
    run: RunArgument,
    tree: Annotated[Path, typer.Option("--into", help="The git checkout that the kernel was extracted from.")],
    branch: Annotated[str | None, typer.Option(help="Name of the branch  [default: kmaint/RUN]")] = None,
    state: StateOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Put a run's winner on a branch: one commit that touches only the kernel and its launcher.

    Refused, with the reason, if a file moved since extraction or the worktree is dirty; your checkout is never touched.
    """
    from kmaint import show, workflow
    from kmaint.config import load_config

    config = load_config(state=state)
    found = workflow.find_run(run, config)
    show.landing(found, workflow.land(found, tree, config, console.Progress(quiet=quiet), branch=branch), output)


@app.command()
def report(run: RunArgument, state: StateOption = None, output: FormatOption = Format.TABLE) -> None:
    """Write a run's HTML page and pull-request text; prints their paths."""
    from kmaint import show, workflow
    from kmaint.config import load_config

    config = load_config(state=state)
    found = workflow.find_run(run, config)
    show.reports(found, workflow.write_reports(found, config, workflow.earlier_landing(found, config)), output)


@app.command()
def maintain(
    tree: TreeArgument,
    kernel: Annotated[list[str] | None, typer.Option(help="A kernel to take up; may be given again.")] = None,
    provider: ProviderOption = None,
    scripted: ScriptedOption = None,
    candidates: CandidatesOption = None,
    minutes: MinutesOption = None,
    state: StateOption = None,
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Take kernels all the way: extract, test, improve, land on a branch, report.

    Without --kernel, the few most worth it. Killed at any point, the same command goes on where it was.
    """
    from kmaint import show, workflow
    from kmaint.config import load_config

    config = load_config(
        provider=provider, scripted=scripted, candidates=candidates, minutes=minutes, state=state, python=python
    )
    done = workflow.maintain(tree, kernel or [], config, console.Progress(quiet=quiet))
    raise typer.Exit(show.maintained(done, output))


@app.command()
def runs(state: StateOption = None, output: FormatOption = Format.TABLE) -> None:
    """List the runs of a state folder, newest last."""
    from kmaint import show, workflow
    from kmaint.config import load_config

    show.runs(workflow.all_runs(load_config(state=state)), output)
