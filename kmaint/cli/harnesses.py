"""Commands on a harness: test it, hold it against the shipped op, judge candidates, improve it, bring it back."""

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
    HarnessArgument,
    MemoryOption,
    MinutesOption,
    ModelOption,
    ProviderOption,
    PythonOption,
    QuietOption,
    ScriptedOption,
    StateOption,
    StrategyOption,
    TokensOption,
)
from kmaint.console import Format


def write_tests(
    harness: HarnessArgument,
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Write a Hypothesis suite, test_kernel.py, into a harness folder.

    The original is tried first, for what it takes beyond its contract: layouts, types, sizes; tried.json keeps that.
    Run the suite with plain pytest there: on a CPU under the Triton interpreter, on a GPU as it is.
    """
    from kmaint import folder, workflow
    from kmaint.config import load_config
    from kmaint.show import harnesses as show

    config = load_config(python=python)
    show.suite(workflow.write_tests(folder.read_harness(harness), config, console.Progress(quiet=quiet)), output)


def mutate(
    harness: HarnessArgument,
    at_least: Annotated[float, typer.Option(help="Per cent of the mutants that must be killed.")] = 97.0,
    most: Annotated[int | None, typer.Option(help="Take so many mutants, every kind in turn  [default: all]")] = None,
    jobs: Annotated[int | None, typer.Option(help="Mutants at a time  [default: one a core]")] = None,
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Plant small defects into the kernel and its launcher, and see which of them the suite notices.

    A mutant is kernel.py with one slip: a mask dropped, a stride of the wrong dimension, a loop one block short, eps
    added elsewhere, float16 for float32, and a dozen more. The suite runs on each as the gate runs it on a candidate.

    \b
      killed      a test failed: the table says which kinds, --format json which test and why
      survived    the suite passed, and a larger draw of cases shows what it should not: the suite has a hole
      rounding    other bits there, all within the tolerance that a candidate has too: counted in strict_score only
      unchanged   the same bits there too: no change of behaviour was seen, so it does not count
      not_built   it raises on the smallest case, so it does not count either

    The score is killed / (killed + survived); exit status 0 from --at-least on. What is found is kept in the harness's
    mutation.jsonl, so a killed run goes on where it was. Example: kmaint mutate harnesses/sglang-merge-state-kernel
    """
    from kmaint import folder, workflow
    from kmaint.config import load_config
    from kmaint.show import mutation as show

    config = load_config(python=python)
    with console.Status(quiet=quiet) as status:
        found = workflow.mutate(folder.read_harness(harness), config, status, most=most, jobs=jobs)
    raise typer.Exit(show.mutation(found, at_least, output))


def import_command(
    source: Annotated[Path, typer.Argument(help="A FlashInfer Trace folder, or one Solution file of it.")],
    into: Annotated[Path, typer.Option("--output", "-o", help="Folder to put the harness folders into.")],
) -> None:
    """Bring back the harnesses that 'kmaint export' put into a FlashInfer Trace folder, byte for byte."""
    import extract.interchange

    console.print_lines(str(harness.folder) for harness in extract.interchange.import_trace(source, into))


def check(
    harness: HarnessArgument,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Candidates: its kernel.py, changed inside regions, or kernel.cu."),
    ],
    python: PythonOption = None,
    device: Annotated[str | None, typer.Option(help="auto, cuda or none  [default: auto]")] = None,
    executor: Annotated[str | None, typer.Option(help="local, or ray for a Ray cluster  [default: local]")] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Candidates judged at a time, on each GPU  [default: by the cores]")
    ] = None,
    best: Annotated[
        bool, typer.Option("--best", help="Only the fastest is wanted: by a first look at all, the rest are `slower`.")
    ] = False,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Take candidates through the gate, several at a time; the first rung that one fails is its verdict.

    The rungs: lint, compile, integrity, suite under the interpreter, suite on the device, numerics, time, sanitizer,
    profile; with --best, a first look at the times before the suites.

    With --best every candidate is timed roughly first. What cannot be a win is `slower`, and what gives plainly other
    results is `wrong`, and judged no further; the others climb from the fastest on, until one has won and none is left
    that looks faster: the answer is whether one did.
    Example: kmaint check HARNESS variants/*.py --best
    """
    from kmaint import folder, workflow
    from kmaint.config import load_config
    from kmaint.show import harnesses as show

    config = load_config(python=python, device=device, executor=executor, jobs=jobs)
    found = workflow.check(folder.read_harness(harness), files, config, console.Progress(quiet=quiet), best=best)
    if len(files) == 1:
        raise typer.Exit(show.evaluation(found[0], output, best=best))
    named = dict(zip(map(str, files), found, strict=True))
    raise typer.Exit(show.evaluations(named, output, best=best))


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
    from kmaint import folder, workflow
    from kmaint.config import load_config
    from kmaint.show import harnesses as show

    config = load_config(python=python)
    found = workflow.hold(
        folder.read_harness(harness), config, console.Progress(quiet=quiet), paths=path or [], tree=tree
    )
    raise typer.Exit(show.parity(found, output))


def optimize(
    harness: HarnessArgument,
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
    """Plan, code, test, profile: look for a faster variant until the budget ends. A killed run resumes where it was.

    \b
    Who proposes (--provider):
      builtin     a catalogue of transforms and launch parameters: no model, the default
      openai      a model behind OpenAI's protocol, or a local vLLM or SGLang by --base-url; key in OPENAI_API_KEY
      anthropic   a model behind Anthropic's protocol; key in ANTHROPIC_API_KEY
      command     a coding agent's program, in a folder of its own: command = ["PROGRAM", "{workspace}"] in kmaint.toml
      handoff     you, or any agent: ends with a request in a folder; 'kmaint submit RUN FILE' takes the answer
      scripted    whole kernel files of a folder, in name order

    Without a GPU nothing is timed: what is found is marked estimated and claims no speedup. Example:
    kmaint optimize HARNESS --provider openai --model NAME --base-url http://127.0.0.1:8000/v1 --tokens 200000
    """
    from kmaint import folder, workflow
    from kmaint.config import load_config
    from kmaint.show import runs as show

    budget = {"candidates": candidates, "minutes": minutes, "tokens": tokens, "cost": cost}
    who = {"provider": provider, "model": model, "base_url": base_url, "scripted": scripted}
    config = load_config(**who, **budget, strategy=strategy, memory=memory, state=state, python=python)
    found = workflow.optimize(folder.read_harness(harness), config, console.Progress(quiet=quiet))
    raise typer.Exit(show.run(found, output, waits=workflow.request_of(found, config)))
