"""Commands on a framework's tree: fetch it, scan it, watch it run, cut kernels out of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from kmaint import console
from kmaint.cli.options import FormatOption, PythonOption, QuietOption, TreeArgument
from kmaint.console import Format, ScanFormat
from kmaint.errors import UsageError
from kmaint.records.kernel import Language, Role


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
    from kmaint.ranking import Selection
    from kmaint.show import scan as show

    selection = Selection(languages=tuple(language or ()), roles=tuple(role or ()), text=match, top=top)
    progress = console.Progress(quiet=quiet)
    found = survey(tree, progress, traces=hot or (), history=history, use_cache=use_cache)
    show.scan(found, output, into, selection)


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
    from kmaint import workflow
    from kmaint.show import trees as show

    progress = console.Progress(quiet=quiet)
    found, status = workflow.capture(command, record, progress, tree=tree, kernels=kernel or [])
    if not quiet:
        show.capture(found, record)
    raise typer.Exit(status)


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
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import trees as show

    if every == (kernel is not None):
        raise UsageError("name one kernel, or --all", "'kmaint scan TREE' lists them")
    if every and launcher is not None:
        raise UsageError(f"--launcher {launcher!r} goes with one kernel, not with --all", "leave it out")
    config, found = load_config(python=python), extract.scan_tree(tree)
    sources = workflow.sources_of(tree, calls, tests=not every if tests is None else tests)
    if kernel is not None:
        chosen = extract.find_kernel(found, kernel)
        wanted = extract.Wanted(kernel=chosen, launcher=launcher or extract.named_launcher(chosen, kernel))
        progress = console.Progress(quiet=quiet)
        one = workflow.extract_kernel(tree, found, wanted, into, config, sources=sources, progress=progress)
        raise typer.Exit(show.extraction(one, output))
    with console.Status(quiet=quiet) as status:
        ended = workflow.extract_all(tree, found, into, config, status, sources=sources)
    raise typer.Exit(show.extracted_tree(ended, output))
