"""Takes candidates in CUDA C++ through the whole gate on a GPU: one that is right and some that are not, each operator.

    python -m benchmarks.campaign prepare DIR --sglang TREE --vllm TREE --only csrc     here: harnesses and packages
    python -m benchmarks.cuda_gate DIR -o RESULT.json [--only TEXT] [--seconds 170]      on the machine with the GPU

All candidates are built and judged at the same time, as many as there are cores; the GPU is taken in turns. Whatever
fails is printed with its log's end and does not stop the rest, and what is not done when the time is over is named.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kmaint.evaluate import Bench
    from kmaint.records.harness import Harness

WRONG: dict[str, tuple[str, str]] = {
    "vllm-silu-and-mul-cuda": ("(1.0f + expf(-fval.x * alpha))", "(1.5f + expf(-fval.x * alpha))"),
    "vllm-merge-attn-states-cuda": (
        "p_out_f * p_scale + (s_out_f * s_scale)",
        "p_out_f * s_scale + (s_out_f * p_scale)",
    ),
    "vllm-fused-add-rms-norm-cuda": ("rsqrtf(variance / hidden_size", "rsqrtf(variance / (hidden_size + 8)"),
    "vllm-rotary-embedding-cuda": ("x_f * cos_f - y_f * sin_f", "x_f * cos_f + y_f * sin_f"),
    "sglang-silu-and-mul-cuda": ("return x_f32 / (1.0f + expf(-x_f32))", "return x_f32 / (1.5f + expf(-x_f32))"),
    "sglang-fused-add-rmsnorm-cuda": ("rsqrtf(eps + cta_sum", "rsqrtf(eps + 1.5f * cta_sum"),
}
"""A slip for each operator: the text, and what is put in its place."""

HOST = "LAUNCH_ACTIVATION_GATE_KERNEL(vllm::silu_kernel, vllm::packed_silu_kernel,"
"""First statement of the host function of vLLM's silu_and_mul."""


@dataclass(frozen=True)
class Trial:
    """A candidate, and the verdicts of which one is right for it."""

    harness: Harness
    what: str
    source: str
    expected: tuple[str, ...]


def trials(harness: Harness) -> Iterator[Trial]:
    """The original with a comment, with a slip, and with text that is no C++; of one operator two more."""
    name, text = harness.folder.name, harness.replaced.read_text()
    yield Trial(harness, "the same with a comment", f"{text}\n// the same\n", ("passed",))
    before, after = WRONG[name]
    if before not in text:
        raise ValueError(f"{name}: {before!r} is not in its kernel any more")
    yield Trial(harness, "a slip", text.replace(before, after), ("wrong",))
    yield Trial(harness, "no C++", f"{text}\nthis is no C++\n", ("not_built",))
    if name == "vllm-silu-and-mul-cuda":
        lazy = text.replace(HOST, f"static int calls = 0;\n  if (++calls > 2) return;\n  {HOST}", 1)
        yield Trial(harness, "does nothing from its third call on", lazy, ("wrong", "dishonest"))
        crash = text.replace(HOST, f"*(volatile int*)0 = 1;\n  {HOST}", 1)
        yield Trial(harness, "crashes", crash, ("crashed",))


def judged(trial: Trial, bench: Bench, started: float) -> dict[str, object]:
    """What the gate says of a trial, or what of ours failed; printed at once."""
    from kmaint import evaluate, wire
    from kmaint.records.evaluation import Candidate, Plan, speedup

    plan = Plan(bottleneck="unknown", edit=trial.what, why="a trial of the gate")
    candidate = Candidate(id=wire.digest(trial.source), source=trial.source, parent=None, plan=plan, provider="given")
    line: dict[str, object] = {
        "harness": trial.harness.folder.name,
        "candidate": trial.what,
        "expected": trial.expected,
    }
    try:
        found = evaluate.check(trial.harness, candidate, bench)
    except Exception as error:  # noqa: BLE001 - one trial that fails must not lose the others
        line |= {"right": False, "error": f"{type(error).__name__}: {error}", "log": traceback.format_exc()[-3000:]}
    else:
        verdict, ratio = found.verdict, speedup(found)
        line |= {
            "verdict": verdict.kind,
            "right": verdict.kind in trial.expected,
            "reason": getattr(verdict, "reason", ""),
            "codes": list(getattr(verdict, "codes", ())),
            "ratio": [ratio.ratio, ratio.low, ratio.high] if ratio else None,
            "rungs": [[one.name, one.passed, round(one.seconds, 1), one.detail] for one in found.rungs],
            "log": getattr(verdict, "log", "")[-3000:],
        }
    mark = "ok   " if line["right"] else "WRONG"
    said = line.get("error") or f"{line['verdict']} {line['reason']} {line['ratio'] or ''}"
    print(f"[{time.monotonic() - started:5.0f} s] {mark} {line['harness']}: {trial.what}: {said}", flush=True)
    if not line["right"]:
        print("\n".join(f"        {one}" for one in str(line["log"]).splitlines()[-12:]), flush=True)
    return line


def machine() -> dict[str, object]:
    """What may explain a failure: printed before anything is tried."""
    import torch

    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    version = subprocess.check_output([nvcc, "--version"], text=True).splitlines() if Path(nvcc).exists() else []
    shared = Path("/dev/shm")
    found = {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "nvcc": version[-2:],
        "tvm_ffi": importlib.util.find_spec("tvm_ffi") is not None,
        "cores": os.cpu_count(),
        "programs run from /dev/shm": shared.is_dir() and not os.statvfs(shared).f_flag & os.ST_NOEXEC,
    }
    print(json.dumps(found), flush=True)
    return found


def run(options: argparse.Namespace) -> int:
    from kmaint.evaluate import open_bench, warmed
    from kmaint.folder import read_harness

    started, known = time.monotonic(), machine()
    results: list[dict[str, object]] = []

    def write(left: list[str]) -> None:
        options.output.write_text(json.dumps({"machine": known, "results": results, "not done": left}, indent=1) + "\n")

    todo = []
    for name in WRONG:
        if options.only in name and (options.folder / "harnesses" / name).is_dir():
            todo += list(trials(read_harness((options.folder / "harnesses" / name).resolve())))
    waiting = {f"{one.harness.folder.name}: {one.what}" for one in todo}

    def give_up() -> None:
        print(f"time is over; not done: {sorted(waiting)}", flush=True)
        write(sorted(waiting))
        os._exit(1)

    timer = threading.Timer(options.seconds, give_up)
    timer.daemon = True
    timer.start()
    cold = open_bench(device=options.device, quick=True, progress=lambda text: print(f"  {text}", flush=True))
    print(f"walls: {cold.walls.level} {cold.walls.reason}", flush=True)
    with warmed(cold) as bench, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(judged, one, bench, started): f"{one.harness.folder.name}: {one.what}" for one in todo}
        for future in concurrent.futures.as_completed(futures):
            results.append(future.result())
            waiting.discard(futures[future])
            write(sorted(waiting))
    timer.cancel()
    right = sum(bool(one["right"]) for one in results)
    print(f"{right} of {len(results)} as they have to be, in {time.monotonic() - started:.0f} s", flush=True)
    return int(right < len(results))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("cuda_gate.json"))
    parser.add_argument("--only", default="", help="harnesses whose name holds this text")
    parser.add_argument("--seconds", type=float, default=170.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", choices=("auto", "cuda", "none"), default="auto")
    options = parser.parse_args()
    lacking = [name for name in ("pydantic_settings", "tvm_ffi") if importlib.util.find_spec(name) is None]
    if lacking and Path(sys.prefix).resolve() != (options.folder / "venv").resolve():
        from benchmarks.campaign.__main__ import start_again

        start_again(options.folder, "benchmarks.cuda_gate")
    if Path("/usr/local/cuda").is_dir():
        os.environ.setdefault("CUDA_HOME", "/usr/local/cuda")
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
