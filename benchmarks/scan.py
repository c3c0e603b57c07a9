"""Time a scan of a tree against a text search for its markers, and against parsing every Python file.

python benchmarks/scan.py TREE [REPETITIONS]     writes benchmarks/results/scan.json, every sample of every leg
python benchmarks/scan.py --table                prints the medians and ratios of that file as a Markdown table

All legs run in turn, repetition by repetition, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import ast
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from extract.scan.pool import crew

KEPT = Path(__file__).parent / "results" / "scan.json"
MARKERS = r"@.*(jit|kernel|prim_func)\b|__global__"
SUFFIXES = ("*.py", "*.cu", "*.cuh", "*.hip", "*.h", "*.hpp", "*.hxx", "*.cpp", "*.cc", "*.cxx", "*.inl")
NAMES = {
    "cold": "`kmaint scan --no-cache`",
    "again": "`kmaint scan`, nothing changed",
    "version": "`kmaint --version`",
    "grep": "`git grep -nE` for the markers",
    "parse": "`ast.parse` of every Python file, all cores",
}


def main() -> None:
    if sys.argv[1:] == ["--table"]:
        print(table())
    elif sys.argv[1:2] == ["--parse"]:
        parse_all(Path(sys.argv[2]))
    else:
        tree, repetitions = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
        KEPT.write_text(json.dumps(measure(tree, repetitions), indent=1) + "\n")
        print(table())


def measure(tree: Path, repetitions: int) -> dict[str, object]:
    kmaint = [sys.executable, "-m", "kmaint"]
    scan = [*kmaint, "scan", str(tree), "--format", "json", "--quiet"]
    legs = {
        "cold": [*scan, "--no-cache"],
        "again": scan,
        "version": [*kmaint, "--version"],
        "grep": ["git", "-C", str(tree), "grep", "-nE", MARKERS, "--", *SUFFIXES],
        "parse": [sys.executable, __file__, "--parse", str(tree)],
    }
    samples: dict[str, list[float]] = {leg: [] for leg in legs}
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        seconds_of(scan, environment)  # fills the cache, and warms the disk's
        for _ in range(repetitions):
            for leg, command in legs.items():
                samples[leg].append(seconds_of(command, environment))
    return {
        "tree": tree.name,
        "cores": len(os.sched_getaffinity(0)),
        "python": sys.version.split()[0],
        "seconds": samples,
    }


def seconds_of(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def parse_all(tree: Path) -> None:
    warnings.simplefilter("ignore")
    with crew(tree) as parsers:
        parsers.map(_parse, [(str(path),) for path in sorted(tree.rglob("*.py"))])


def _parse(_tree: Path, path: str) -> None:
    ast.parse(Path(path).read_bytes())


def table() -> str:
    """Medians, their range, and how many times as long as the search each takes."""
    kept = json.loads(KEPT.read_text())
    medians = {leg: statistics.median(values) for leg, values in kept["seconds"].items()}
    lines = [f"| {kept['tree']}, {kept['cores']} cores | seconds (range) | times the search |", "| --- | --- | --- |"]
    for leg, values in kept["seconds"].items():
        spread = f"{medians[leg]:.2f} ({min(values):.2f} to {max(values):.2f})"
        lines.append(f"| {NAMES[leg]} | {spread} | {medians[leg] / medians['grep']:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
