"""What `kmaint capture` costs an eager engine, and what it sees there: batches with it and without, in turns.

    python benchmarks/capture.py OUT                        vLLM, offline, on a synthetic Llama with dummy weights
    python benchmarks/capture.py OUT --engine loop          a loop of small torch operations; needs no GPU

Each process runs under capture, and times blocks of four batches in mirrored order: in two of them the watched
functions have their own code and the watched kernels their own `run` again, so both sides share one process, one engine
and one minute. OUT gets capture.json with every sample, calls.jsonl (the record of the last process) and, for vLLM,
trace.json.gz: the GPU events of a few steps, for `kmaint scan --hot`. Called again with the same settings it adds to
what is there. vLLM is imported from where this interpreter finds it.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STAND_IN = ROOT / "tests" / "extract" / "capture" / "cases" / "tree"
"""A package of vLLM's shape whose launcher is plain torch without a GPU."""

ORDERS = (("without", "with", "with", "without"), ("with", "without", "without", "with"))
TRACE = "trace.json.gz"
MAX_TRACE_BYTES = 1 << 20
GPU_EVENTS = ("kernel", "gpu_memcpy", "gpu_memset")

Batch = Callable[[], int]
"""Runs one batch to its end; the tokens (or steps) it made."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--engine", choices=("vllm", "loop"), default="vllm")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--blocks", type=int, default=6, help="of four batches, timed in each process")
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--requests", type=int, default=32, help="in a batch")
    parser.add_argument("--prompt", type=int, default=512, help="tokens")
    parser.add_argument("--output", type=int, default=128, help="tokens")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for one process")
    parser.add_argument("--child", choices=("time", "trace"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    runs = earlier(options)
    for _ in range(options.processes):
        record = options.out / "calls.jsonl"
        capture = [sys.executable, "-m", "kmaint", "capture", "--quiet", "-o", str(record), "--"]
        runs.append(run(options, "time", capture))
        print(summary(runs[-1]), flush=True)
        write(options, runs)
    if options.engine == "vllm" and not (options.out / TRACE).is_file():
        run(options, "trace", [])
    print(json.dumps(json.loads((options.out / "capture.json").read_text())["slowdown"]))


def run(options: argparse.Namespace, task: str, before: list[str]) -> dict[str, Any]:
    """What a child wrote down; its words are ours when it fails."""
    with tempfile.TemporaryDirectory() as name:
        result = Path(name) / "result.json"
        words = [sys.executable, __file__, str(options.out), "--child", task, "--engine", options.engine]
        for setting in ("blocks", "layers", "requests", "prompt", "output"):
            words += [f"--{setting}", str(getattr(options, setting))]
        paths = [str(ROOT), *([str(STAND_IN)] if options.engine == "loop" else []), os.environ.get("PYTHONPATH", "")]
        fixed = {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "RESULT": str(result),
            # In this process: nothing but the engine's own work is timed.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_USE_FLASHINFER_SAMPLER": "0",
            "HF_HUB_OFFLINE": "1",
        }
        log = options.out / f"{task}.log"
        with log.open("w") as file:
            ended = subprocess.run(
                [*before, *words],
                env={**os.environ, **fixed},
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=options.timeout,
                check=False,
            )
        if ended.returncode:
            sys.exit(f"{' '.join(before[2:4])} {task} ended with {ended.returncode}:\n{log.read_text()[-3000:]}")
        found: dict[str, Any] = json.loads(result.read_text())
        return found


def child(options: argparse.Namespace) -> None:
    """Build the engine, warm it up, then time its batches or trace one."""
    started = time.perf_counter()
    batch = {"vllm": vllm_batch, "loop": loop_batch}[options.engine](options)
    tokens = [batch() for _ in range(3)][-1]
    start_s = time.perf_counter() - started
    if options.child == "trace":
        found: dict[str, object] = {"trace": trace(batch, options.out / TRACE)}
    else:
        draw = random.Random(0)
        blocks = [
            {"order": order, "seconds": [timed(batch, side == "without") for side in order]}
            for order in (draw.choice(ORDERS) for _ in range(options.blocks))
        ]
        found = {"start_s": start_s, "tokens": tokens, "blocks": blocks, "machine": machine()}
    Path(os.environ["RESULT"]).write_text(json.dumps(found))


def timed(batch: Batch, plain: bool) -> float:
    """Seconds of one batch; if `plain`, with everything that capture put into the program taken out for that long."""
    with taken_out() if plain else contextlib.nullcontext():
        before = time.perf_counter()
        batch()
        return time.perf_counter() - before


@contextlib.contextmanager
def taken_out() -> Iterator[None]:
    """Every watched function with the code of its file, every watched kernel with its class's `run`."""
    edited = [(function, function.__code__) for function in watched_functions()]
    runs = [(kernel, kernel.__dict__.pop("run")) for kernel in watched_kernels()]
    for function, _ in edited:
        function.__code__ = plain_code(function)
    try:
        yield
    finally:
        for function, code in edited:
            function.__code__ = code
        for kernel, watched in runs:
            kernel.run = watched


def watched_functions() -> list[types.FunctionType]:
    """Functions whose code asks for the recorder."""
    found = {id(one): one for one in gc.get_objects() if type(one) is types.FunctionType and asks(one.__code__)}
    return list(found.values())


def asks(code: types.CodeType) -> bool:
    return any(name.startswith("__kmaint_due_") for name in code.co_names)


def watched_kernels() -> list[Any]:
    """Kernels of Triton that have a `run` of their own, which the recorder gave them."""
    from triton.runtime import KernelInterface

    return [one for one in gc.get_objects() if isinstance(one, KernelInterface) and "run" in vars(one)]


def plain_code(function: types.FunctionType) -> types.CodeType:
    """What the function's file says, as Python compiles it, found by name and first line."""
    edited = function.__code__
    pending: list[types.CodeType] = [compiled(edited.co_filename)]
    while pending:
        code = pending.pop()
        if (code.co_qualname, code.co_firstlineno) == (edited.co_qualname, edited.co_firstlineno):
            return code
        pending += [one for one in code.co_consts if isinstance(one, types.CodeType)]
    raise LookupError(f"{edited.co_filename}: no {edited.co_qualname} at line {edited.co_firstlineno}")


@functools.cache
def compiled(filename: str) -> types.CodeType:
    return compile(Path(filename).read_bytes(), filename, "exec", dont_inherit=True)


def vllm_batch(options: argparse.Namespace) -> Batch:
    """Requests of equal length through vLLM, eagerly, with its Triton attention."""
    from vllm import LLM, SamplingParams

    folder = Path(tempfile.mkdtemp())
    (folder / "config.json").write_text(json.dumps(llama(options.layers)))
    engine = LLM(
        model=str(folder),
        load_format="dummy",
        skip_tokenizer_init=True,
        enforce_eager=True,
        attention_backend="TRITON_ATTN",
        max_model_len=options.prompt + options.output,
        gpu_memory_utilization=0.5,
        enable_prefix_caching=False,
    )
    draw = random.Random(0)
    prompts = [
        {"prompt_token_ids": [draw.randrange(1000, 30000) for _ in range(options.prompt)]}
        for _ in range(options.requests)
    ]

    def batch(output: int = options.output) -> int:
        sampling = SamplingParams(max_tokens=output, ignore_eos=True, detokenize=False, temperature=0.0)
        ended = engine.generate(prompts, sampling, use_tqdm=False)
        return sum(len(one.outputs[0].token_ids) for one in ended)

    return batch


def llama(layers: int) -> dict[str, object]:
    """Llama 3 8B's widths with fewer layers, and a vocabulary that needs no tokenizer."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": layers,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 32000,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


def loop_batch(options: argparse.Namespace) -> Batch:
    """Layers of ten small operations and a watched launcher, as host-bound as an engine can be."""
    import torch
    from vllm.ops.scale import double  # the stand-in's

    x = torch.ones(32, 64)
    steps = 500

    def batch() -> int:
        for _ in range(steps):
            for _ in range(options.layers):
                y = double(x)
                for _ in range(10):
                    y = torch.add(y, x)
        return steps

    return batch


def trace(batch: Callable[..., int], path: Path) -> dict[str, int]:
    """The GPU events of four steps as a Chrome trace without anything else, small enough to be kept."""
    import torch

    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    ) as seen:
        batch(4)
        torch.cuda.synchronize()
    whole = Path(tempfile.mkdtemp()) / "trace.json"
    seen.export_chrome_trace(str(whole))
    data = json.loads(whole.read_text())
    kept = [event for event in data["traceEvents"] if event.get("cat") in GPU_EVENTS or event.get("ph") == "M"]
    path.write_bytes(gzip.compress(json.dumps({**data, "traceEvents": kept}).encode(), mtime=0))
    if path.stat().st_size > MAX_TRACE_BYTES:
        sys.exit(f"{path}: {path.stat().st_size} bytes, more than {MAX_TRACE_BYTES}; take fewer --layers")
    return {"events": len(data["traceEvents"]), "kept": len(kept), "bytes": path.stat().st_size}


def machine() -> dict[str, str | None]:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"device": device, "torch": torch.__version__, "python": sys.version.split()[0]}


def settings(options: argparse.Namespace) -> dict[str, object]:
    return {name: getattr(options, name) for name in ("engine", "layers", "requests", "prompt", "output")}


def earlier(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What an earlier call measured with the same settings, to which this one adds."""
    path = options.out / "capture.json"
    kept = json.loads(path.read_text()) if path.is_file() else {}
    return list(kept["runs"]) if kept.get("settings") == settings(options) else []


def write(options: argparse.Namespace, runs: list[dict[str, Any]]) -> None:
    """All samples so far, what they say, and what the last capture saw."""
    record = options.out / "calls.jsonl"
    content: dict[str, object] = {"settings": settings(options), "slowdown": slowdown(runs), "runs": runs}
    if record.is_file():
        content["capture"] = json.loads(record.read_text().splitlines()[0])
    (options.out / "capture.json").write_text(json.dumps(content, indent=1) + "\n")


def slowdown(runs: list[dict[str, Any]], *, draws: int = 4000) -> dict[str, float]:
    """Seconds with capture over seconds without: the median over all blocks, with a bootstrap's 95 % interval."""
    ratios = [ratio(block) for run in runs for block in run["blocks"]]
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(draws))
    return {
        "ratio": statistics.median(ratios),
        "low": medians[round(0.025 * draws)],
        "high": medians[round(0.975 * draws)],
    }


def ratio(block: dict[str, Any]) -> float:
    """Of one block; what drifts linearly through it hits both sides alike."""
    spent = dict.fromkeys(("with", "without"), 0.0)
    for side, seconds in zip(block["order"], block["seconds"], strict=True):
        spent[side] += seconds
    return spent["with"] / spent["without"]


def summary(run: dict[str, Any]) -> str:
    batch = statistics.median(seconds for block in run["blocks"] for seconds in block["seconds"])
    of_run = statistics.median(map(ratio, run["blocks"]))
    return f"start {run['start_s']:.1f} s, batch {batch:.3f} s, with capture {of_run:.4f} times that without"


if __name__ == "__main__":
    main()
