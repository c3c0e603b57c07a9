"""The command on whole engines."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from kmaint import console
from kmaint.cli.options import FormatOption, PythonOption, QuietOption, StateOption
from kmaint.console import Format


def bench(
    run: Annotated[list[str], typer.Argument(help="Runs whose patches are applied one upon another.")],
    engine: Annotated[Literal["vllm", "sglang"], typer.Option(help="The engine that --python serves.")],
    model: Annotated[str, typer.Option(help="Folder of a model; a config.json is enough with load_format=dummy.")],
    point: Annotated[
        list[str] | None, typer.Option(help="decode:BATCHxCONTEXT or prefill:BATCHxCONTEXT; may be given again.")
    ] = None,
    argument: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE for the engine itself; may be given again.")
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE that one more engine of the base is told, to be seen beside; may be given again."
        ),
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Of several runs, measure each one's patch alone too.")] = False,
    logprobs: Annotated[
        bool,
        typer.Option("--logprobs", help="Ask for the log-probability of each token, as a rollout for training does."),
    ] = False,
    tokens: Annotated[int, typer.Option(min=2, help="Tokens that each sequence decodes at a visit.")] = 128,
    rounds: Annotated[int, typer.Option(min=2, help="Rounds at each point; in one every engine is visited twice.")] = 6,
    accuracy: Annotated[str, typer.Option(help="A command of yours that is run with each side's engine.")] = "",
    state: StateOption = None,
    python: PythonOption = None,
    output: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Measure a whole engine with a run's patch and without it; the answer is no if it is slower or says otherwise.

    The installed engine is copied, and the patch applied to one copy: hashes show that nothing else differs. Base,
    patched and base again run at once, each with its share of the GPU's memory, and take turns. Before that, a copy
    that counts shows how often the engine comes by what the patch changed; where it never does, nothing is measured.
    Told its memory by --set kv_cache_memory_bytes=N (vLLM) or --set max_total_tokens=N with mem_fraction_static=0.9
    (SGLang), an engine measures none: all then start side by side, and the GPU has to hold them. --beside and --each
    add engines that take part in the same rounds. CUDA graphs are as the engine has them by default. Kept with each
    run, for its page: a run alone, and among others. Killed, the same command takes up what was measured.

    \b
    kmaint bench RUN --engine vllm --model DIR --python VENV/bin/python \\
        --set load_format=dummy --set attention_backend=TRITON_ATTN --point decode:1x16384 --point decode:16x2048 \\
        --beside attention_backend=FLASH_ATTN
    """
    from kmaint import workflow
    from kmaint.config import load_config
    from kmaint.show import engines as show
    from kmaint.workflow import bench as engines

    config = load_config(state=state, python=python)
    asked = engines.Asked(
        engine=engine,
        model=model,
        points=tuple(engines.point_of(text, tokens) for text in point or engines.POINTS),
        arguments=engines.arguments_of(argument or []),
        rounds=rounds,
        accuracy=accuracy,
        beside=engines.pairs_of(beside or []),
        each=each,
        logprobs=logprobs,
    )
    runs = [workflow.find_run(text, config) for text in run]
    raise typer.Exit(show.bench(engines.bench(runs, asked, config, console.Progress(quiet=quiet)), output))
