"""How often the gate's clock is wrong: the original against itself, and against itself with a known 3 % added.

    python -m benchmarks.timing prepare DIR --sglang TREE --vllm TREE   here: cuts the harnesses, two packages beside
    python -m benchmarks.timing run DIR RESULT.json [--minutes M]       on a GPU; continues a result that is there
    python -m benchmarks.timing run DIR RESULT.json --clock wall        without a GPU, a second call as what is added
    python -m benchmarks.timing simulate RESULT.json                    error rates of the rule on recorded residuals
    python -m benchmarks.timing table RESULT.json                       the table of docs/measured.md, from that alone

`run` needs an interpreter with torch, triton, pytest and hypothesis, and no network. Every comparison goes through the
gate's own `measure`: one worker for each part, its outputs judged by a second one. A comparison is one workload of one
round; it is called as a win or a loss by the rule that the gate has for all workloads together.

What is added is a wait in the last program of the kernel, of as many cycles as make it 3 % slower. How much slower it
is then is measured beforehand by `calibrate`: a process and a loop of its own, 400 alternating graph replays. The
slowed kernel is the candidate for a slowdown, and the original for a speedup.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.pages import ROOT, Place
from benchmarks.timing.comparing import PACKAGES, run
from benchmarks.timing.planting import calibrate
from benchmarks.timing.simulating import simulate
from benchmarks.timing.table import rows

KERNELS = {
    "sglang": ("fused_rmsnorm_kernel", "merge_state_kernel", "_triton_mrope_forward_fused", "reshape_and_cache_flash"),
    "vllm": ("vllm/v1/attention/ops/triton_merge_attn_states.py::merge_attn_states_kernel",),
}
PLACE = Place("docs/measured.md", "timing", "benchmarks/timing")


def prepare(options: argparse.Namespace) -> int:
    for framework, names in KERNELS.items():
        for name in names:
            command = [
                sys.executable,
                "-m",
                "kmaint",
                "extract",
                getattr(options, framework),
                name,
                "-o",
                options.folder,
            ]
            subprocess.run(command, check=True, cwd=ROOT)
    for path in options.folder.glob("*.ndjson"):
        path.unlink()
    target = ["--python-version", "3.12", "--only-binary", ":all:", "--platform", "manylinux2014_x86_64"]
    where = ["--target", options.folder / "site", "--upgrade", "--quiet"]
    subprocess.run([sys.executable, "-m", "pip", "install", *target, *where, *PACKAGES], check=True)
    return 0


def table(options: argparse.Namespace) -> int:
    content = json.loads(options.result.read_text())
    return int(PLACE.put("\n".join(rows(content)), check=options.check) and options.check)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("prepare")
    one.add_argument("folder", type=Path)
    one.add_argument("--sglang", type=Path, required=True)
    one.add_argument("--vllm", type=Path, required=True)
    one = commands.add_parser("run")
    one.add_argument("folder", type=Path)
    one.add_argument("result", type=Path)
    one.add_argument("--minutes", type=float, default=5.5)
    one.add_argument("--rounds", type=int, default=0, help="of every part; as many as the issue asks for if left out")
    one.add_argument("--clock", choices=("graph", "wall"), default="graph")
    one = commands.add_parser("calibrate")
    one.add_argument("folder", type=Path)
    one.add_argument("entry")
    one.add_argument("workload")
    one.add_argument("result", type=Path)
    one = commands.add_parser("simulate")
    one.add_argument("result", type=Path)
    one.add_argument("--times", type=int, default=2000)
    one = commands.add_parser("table")
    one.add_argument("result", type=Path)
    one.add_argument("--check", action="store_true")
    options = parser.parse_args()
    known = {"prepare": prepare, "run": run, "calibrate": calibrate, "simulate": simulate, "table": table}
    return known[options.command](options)


if __name__ == "__main__":
    sys.exit(main())
