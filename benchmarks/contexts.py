"""How long the driver takes to make a context, alone and beside seven others, by how many queues it is to have.

    python -m benchmarks.contexts [--rounds 3] [--out FILE]

Each context is made in a process of its own that has imported torch by then, with 256 MiB in it; the ways take turns.
FILE holds every time in seconds. For a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
from pathlib import Path

from kmaint.folder import write_text

PROGRAM = """
import sys, time
import torch
print("ready", flush=True)
sys.stdin.readline()
started = time.perf_counter()
torch.empty(256 << 20, dtype=torch.uint8, device="cuda")
print(time.perf_counter() - started, flush=True)
"""
QUEUES = (None, 1, 2, 4)
"""None: as the driver has it, eight."""
TOGETHER = (1, 8)


def made(queues: int | None, together: int) -> list[float]:
    """Seconds of each of so many contexts that are begun at once."""
    more = {} if queues is None else {"CUDA_DEVICE_MAX_CONNECTIONS": str(queues)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(together)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [float(process.communicate()[0]) for process in processes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/contexts.json"))
    options = parser.parse_args()
    ways = [(queues, together) for together in TOGETHER for queues in QUEUES]
    rows: list[tuple[int | None, int, list[float]]] = []
    for n in range(options.rounds):
        for queues, together in random.Random(n).sample(ways, len(ways)):
            rows.append((queues, together, made(queues, together)))
    medians = {
        f"{queues or 'default'} queues, {together} at once": round(
            statistics.median(s for *way, seconds in rows if way == [queues, together] for s in seconds), 4
        )
        for queues, together in ways
    }
    write_text(options.out, json.dumps({"medians_s": medians, "queues_together_seconds": rows}, indent=1) + "\n")
    print(json.dumps(medians, indent=1))


if __name__ == "__main__":
    main()
